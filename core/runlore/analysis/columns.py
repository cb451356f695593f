"""Choose the columns that distinguish runs in a table."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from runlore.analysis.ranking import ASIDE_TAGS, is_aside, is_extent, is_place, is_telling
from runlore.hookspecs import SYSTEM_PREFIX
from runlore.index.fields import Field
from runlore.store.runs import RunList

NUMBERED = re.compile(r"(^|[/._])\d+([/._]|$)")  # one of many alike, as of each layer
MIN_PARAMS = 2  # before the second metric
MAX_PASSED = 4  # params before the second metric that somebody passed


def telling_columns(runs: RunList, asked: Sequence[Field] = ()) -> list[Field]:
    """Return the columns that distinguish these runs.

    Those asked for come first, then a metric, a tag, params that were passed to some run, at most `MAX_PASSED` of them,
    then the other metrics and params. Where fewer than `MIN_PARAMS` were passed, others stand in for them. Of the
    metrics, those with a number in their name come behind the others, and those with the name of a param last.
    """
    measured = dict.fromkeys(
        key for run in runs for key in run.metrics if not key.startswith(SYSTEM_PREFIX) and not is_extent(key)
    )
    rank = _rank(runs)
    repeated = measured.keys() & {key for run in runs for key in run.params}
    ranked = sorted(measured, key=lambda key: (key in repeated, NUMBERED.search(key) is not None, rank(key)))
    metrics = [Field("metrics", key, "last", 0) for key in _by_coverage(runs, ranked, repeated)]
    settings = [key for key in _frequent(run.params for run in runs) if not is_place(key)]
    passed = {key for run in runs for key in run.params.keys() - run.captured}
    settings.sort(key=lambda key: (key not in passed, not is_telling(key)))
    params = [Field("params", key, "", 0) for key in settings]
    tags = [Field("tags", key, "", 0) for key in _frequent(run.tags for run in runs) if key not in ASIDE_TAGS]
    params = [field for field in params if _differs(run.params.get(field.key) for run in runs)]
    tags = [field for field in tags if _differs(run.tags.get(field.key) for run in runs)]
    first = max(MIN_PARAMS, min(MAX_PASSED, sum(field.key in passed for field in params)))
    order = [*asked, *metrics[:1], *tags[:1], *params[:first], *metrics[1:], *params[first:]]
    chosen: dict[tuple[str, str, str], Field] = {}
    for field in order:
        chosen.setdefault((field.table, field.key, field.column), field)
    return list(chosen.values())


def _differs(values: Iterable[object]) -> bool:
    """Return True if there are two different values; missing ones (None) don't count."""
    return len({repr(value) for value in values if value is not None}) > 1


def _by_coverage(runs: RunList, keys: list[str], last: Set[str]) -> list[str]:
    """Sort keys so that each is in as many as possible of the runs that have none of the keys before it.

    Those of `last` and those that are put aside stay behind the others.
    """
    chosen: list[str] = []
    empty = [set(run.metrics) for run in runs]
    remaining = [key for key in keys if not is_aside(key) and key not in last]
    while remaining and empty:
        best = max(remaining, key=lambda key: sum(key in names for names in empty))
        if not any(best in names for names in empty):
            break
        chosen.append(best)
        remaining.remove(best)
        empty = [names for names in empty if best not in names]
    return chosen + [key for key in keys if key not in chosen]


def _rank(runs: RunList) -> Callable[[str], int]:
    """Return a sort key that puts metrics on held-out data first, and durations last."""
    splits = {key: series.split for run in runs for key, series in run.metrics.items()}

    def rank(key: str) -> int:
        return 2 if is_aside(key) else 0 if splits[key] in ("val", "test") or "test" in key or "val" in key else 1

    return rank


def _frequent(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the keys that at least a third of the mappings have, the most frequent first."""
    counts: dict[str, int] = {}
    total = 0
    for mapping in mappings:
        total += 1
        for key in mapping:
            counts[key] = counts.get(key, 0) + 1
    return sorted((key for key, count in counts.items() if count * 3 >= total), key=lambda key: -counts[key])
