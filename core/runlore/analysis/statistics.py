"""Statistics of a metric in groups of runs: mean with interval, best run, and a test between two groups.

The interval of a mean is Student's: mean ± t(0.975, n - 1) · s / √n. Two groups are compared by the paired t test over
the values, such as random seeds, that both have. SciPy computes both distributions.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from runlore._text import closest
from runlore.analysis.ranking import is_place, is_telling
from runlore.analysis.scope import field_named
from runlore.errors import MissingDependency, QueryError
from runlore.index.database import Sqlite
from runlore.index.fields import Field
from runlore.index.keys import other_keys, varied_params
from runlore.index.parse import parse_field
from runlore.index.select import values_of
from runlore.index.sql import Compiled, compile_query
from runlore.store.store import Store

CONFIDENCE = 0.95  # of the interval
LOWER_IS_BETTER = frozenset("loss error err perplexity mse mae rmse wer cer time runtime seconds".split())
SAME = 1e-9  # of the mean of differences: a smaller deviation is that of rounding
MAX_KEYS = 10  # in a message
MAX_COMPARED = 1_000  # runs whose params are looked at for those that differ within a group

T = TypeVar("T")
Best = Literal["min", "max"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a group. Runs of a group with equal `over` are one replicate and count as one."""

    run: str  # its id
    name: str
    value: float
    over: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The runs with the same values of the fields that group them (`key`).

    `n` is the number of values behind mean and interval: of runs, or of replicates. `interval` is None if n < 2, or if
    a value is infinite.
    """

    key: tuple[Any, ...]
    runs: tuple[Measured, ...]
    n: int
    lacking: int  # runs without the metric, or with NaN
    mean: float | None
    deviation: float | None  # of the sample, with n - 1
    interval: tuple[float, float] | None
    best: Measured | None


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Student's paired t test of group b against group a. `difference` is the mean of b - a.

    `p` is two-sided; `interval` is that of the difference. Both are None if all differences are equal.
    """

    a: tuple[Any, ...]
    b: tuple[Any, ...]
    pairs: int
    difference: float
    interval: tuple[float, float] | None
    t: float | None
    p: float | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """The groups, best mean first, and the test between two of them or the reason why there is none.

    `mixed` names params that differ within a group and that no field of the call names, among `MAX_COMPARED` runs.
    """

    metric: str
    best: Best
    groups: tuple[Group, ...]
    test: PairedTest | None
    why_no_test: str | None
    mixed: tuple[str, ...] = ()


def direction(metric: str) -> Best:
    """Return the better end of a metric by its name: "min" for losses, errors and durations, else "max"."""
    words = metric.lower().replace("/", "_").replace(".", "_").replace("-", "_").split("_")
    return "min" if any(word in LOWER_IS_BETTER or word.endswith("loss") for word in words) else "max"


def group_runs(
    store: Store,
    where: str,
    metric: str,
    by: Sequence[str],
    over: Sequence[str] = (),
    best: Best | None = None,
    between: tuple[str, str] | None = None,
) -> Statistics:
    """Compute the statistics of a metric in groups of runs.

    Runs with equal `by` fields form a group. Runs of a group with equal `over` fields, such as the seed, count as one
    by their mean. With `over`, two groups are tested: the two that `between` names by the text of their keys, else the
    best two.

    Raises:
        QueryError: a field or the query can't be understood, or no run has the key.
        MissingDependency: SciPy is not installed.
    """
    chosen = parse_field(metric, "metrics")
    fields = [field_named(store, text, "params") for text in (*by, *over)]
    compiled = compile_query(where, time.time)
    rows = store.ask(_rows, compiled, [chosen, *fields], [metric, *by, *over])
    good = best or direction(chosen.key or chosen.column)
    found: dict[tuple[Any, ...], list[Measured | None]] = {}
    for run_id, name, value, *keys in rows:
        key, rest = tuple(keys[: len(by)]), tuple(keys[len(by) :])
        number = value if isinstance(value, int | float) and not math.isnan(value) else None
        measured = None if number is None else Measured(run_id, name, float(number), rest)
        found.setdefault(key, []).append(measured)
    groups = [_group(key, items, bool(over), good) for key, items in found.items()]
    worst = math.inf if good == "min" else -math.inf
    groups.sort(key=lambda group: worst if group.mean is None else group.mean, reverse=good == "max")
    test, why = _tested(groups, bool(over), between)
    named = {field.key for field in fields if field.table == "params"}
    mixed = tuple(_mixed(store, groups, named)) if over and groups else ()
    return Statistics(chosen.text, good, tuple(groups), test, why, mixed)


def summarise(values: Sequence[float]) -> tuple[float | None, float | None, tuple[float, float] | None]:
    """Return mean, sample deviation, and 95 % interval of the mean by Student's t; None for each that is not defined.

    Raises:
        MissingDependency: SciPy is not installed.
    """
    if not values:
        return None, None, None
    mean = _mean(values)
    if len(values) == 1 or not all(map(math.isfinite, (*values, mean))):
        return mean, None, None
    try:
        deviation = statistics.stdev(values, mean)
    except (AttributeError, OverflowError):  # the squares overflow; some versions of Python raise AttributeError
        return mean, None, None
    half = errors_within(len(values)) * deviation / math.sqrt(len(values))
    return mean, deviation, (float(mean - half), float(mean + half))


def errors_within(counts: Any) -> Any:
    """Return how many standard errors the interval of a mean of so many values, at least two, has on either side of it.

    Raises:
        MissingDependency: SciPy is not installed.
    """
    return _special().stdtrit(counts - 1, 0.5 + CONFIDENCE / 2)


def paired_test(a: tuple[Any, ...], b: tuple[Any, ...], differences: Sequence[float]) -> PairedTest:
    """Compute Student's paired t test of at least two differences; of some that are equal, but for rounding, none."""
    mean, deviation, interval = summarise(differences)
    count = len(differences)
    if mean is None or deviation is None or deviation <= SAME * abs(mean):
        return PairedTest(a, b, count, mean or 0.0, None, None, None)
    t = mean / (deviation / math.sqrt(count))
    return PairedTest(a, b, count, mean, interval, t, float(2 * _special().stdtr(count - 1, -abs(t))))


def key_text(value: Any) -> str:
    """Return a value of a group's key as people write it; different values have different texts."""
    if value is None:
        return "–"
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return value
        return repr(value)  # a text that looks like a number
    return f"{value:.12g}" if isinstance(value, float) and float(f"{value:.12g}") == value else repr(value)


def _rows(database: Sqlite, compiled: Compiled, fields: list[Field], texts: list[str]) -> list[tuple[Any, ...]]:
    """Return id, name and values of each run.

    Raises:
        QueryError: no run of the store has one of the keys.
    """
    rows = values_of(database, compiled, fields)
    for place, (field, text) in enumerate(zip(fields, texts, strict=True)):
        if field.table and rows and all(row[2 + place] is None for row in rows):
            _refuse(text, field, other_keys(database, field))
    return rows


def _refuse(text: str, field: Field, known: list[str]) -> None:
    if known:
        close = closest(field.key, known, 0.5)
        better = Field(field.table, close, field.column, 0).text if close is not None else None
        hint = f"did you mean {better} ?" if better else f"there are {', '.join(sorted(known, key=_by_use)[:MAX_KEYS])}"
        raise QueryError(f"no run has {field.text}: {hint}", text, 0)


def _by_use(key: str) -> tuple[bool, int, str]:
    return not is_telling(key), key.count("."), key


def _group(key: tuple[Any, ...], items: list[Measured | None], replicated: bool, best: Best) -> Group:
    runs = [item for item in items if item is not None]
    values = list(_by_over(runs).values()) if replicated else [item.value for item in runs]
    mean, deviation, interval = summarise(values)
    choose: Callable[..., Measured] = min if best == "min" else max
    top = choose(runs, key=lambda item: item.value) if runs else None
    return Group(key, tuple(runs), len(values), len(items) - len(runs), mean, deviation, interval, top)


def _by_over(runs: Sequence[Measured]) -> dict[tuple[Any, ...], float]:
    """Return the value of each replicate, the mean if several runs have the same `over`."""
    found: dict[tuple[Any, ...], list[float]] = {}
    for item in runs:
        found.setdefault(item.over, []).append(item.value)
    return {over: _mean(values) for over, values in found.items()}


def _mean(values: Sequence[float]) -> float:
    """Return the mean; NaN if it is not defined, because of infinities of both signs or an overflow."""
    try:
        return statistics.fmean(values)
    except (ValueError, OverflowError):
        return math.nan


def _tested(
    groups: Sequence[Group], replicated: bool, between: tuple[str, str] | None
) -> tuple[PairedTest | None, str | None]:
    if between is not None and not replicated:
        raise QueryError("a test between two groups needs --over: what both have, such as params.seed", between[0], 0)
    if not replicated or len(groups) < 2:
        return None, None
    pair = list(groups[:2])
    if between is not None:
        pair = [_find_group(groups, text) for text in between]
    a, b = (_by_over(group.runs) for group in pair)
    shared = sorted((over for over in a.keys() & b.keys() if None not in over), key=str)
    differences = [b[over] - a[over] for over in shared]
    finite = [difference for difference in differences if math.isfinite(difference)]
    if len(finite) < 2:
        return None, f"no paired test: the two groups share {len(finite)} of what --over names, and two are needed"
    return paired_test(pair[0].key, pair[1].key, finite), None


def _find_group(groups: Sequence[Group], text: str) -> Group:
    """Return the group whose key has this text; a number may be written in any form.

    Raises:
        QueryError: there is no such group.
    """
    named = {" ".join(map(key_text, group.key)): group for group in groups}
    numbers = {float(group.key[0]): group for group in groups if len(group.key) == 1 and _is_number(group.key[0])}
    try:
        found = named.get(text) or numbers.get(float(text))
    except ValueError:
        found = None
    if found is None:
        raise QueryError(f"there is no group {text!r}: there are {', '.join(sorted(named))}", text, 0)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mixed(store: Store, groups: Sequence[Group], named: set[str]) -> Iterator[str]:
    """Yield params that differ within a group; not places, nor params of which every run has its own value (names).

    Of more than `MAX_COMPARED` runs that many are looked at, spread over the groups and within each.
    """
    several = [[item.run for item in group.runs] for group in groups if len(group.runs) > 1]
    several = _spread(several, MAX_COMPARED // 2)
    sides = [_spread(ids, max(2, MAX_COMPARED // len(several))) for ids in several]
    found = store.ask(varied_params, [run for side in sides for run in side], named)
    for key, texts in found.items():
        values = [[texts.get(run) for run in side] for side in sides]
        apart = all(len(set(side)) == len(side) for side in values)
        if not apart and not is_place(key) and any(len(set(side)) > 1 for side in values):
            yield Field("params", key, "", 0).text


def _spread(items: list[T], most: int) -> list[T]:
    """Return at most so many items, evenly spread."""
    return items if len(items) <= most else [items[place * len(items) // most] for place in range(most)]


def _special() -> Any:
    try:
        import scipy.special
    except ImportError:
        raise MissingDependency("statistics need SciPy: pip install 'runlore[stats]'") from None
    return scipy.special
