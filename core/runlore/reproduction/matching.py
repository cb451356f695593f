"""Match the runs that a repeated command recorded with the runs that it recorded the first time."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from runlore.index.select import find_below
from runlore.recording.starting import AGAIN
from runlore.store.runs import RecordedRun

MAX_GENERATIONS = 30  # from a run to its outermost ancestor
MAX_DAYS_APART = 7  # between two runs of one process

Pair = tuple[RecordedRun, RecordedRun]  # a first run, and the new run that repeats it
AsThen = Callable[[str], str]  # replaces the fresh folders in a text by the recorded ones


def leader_of(run: RecordedRun) -> RecordedRun:
    """Return the outermost ancestor of a run; its process was the script's own."""
    for _ in range(MAX_GENERATIONS):
        parent = run.parent
        if parent is None:
            break
        run = parent
    return run


def descendants(run: RecordedRun) -> list[RecordedRun]:
    """Return a run and all its descendants, parents first, each once."""
    below = run.store.ask(find_below, [run.id])
    waiting, order = [run.id], []
    while waiting:
        order.append(waiting.pop())
        waiting += reversed(below.get(order[-1], ()))
    return run.store.known(order)


def counterparts(run: RecordedRun, new: Sequence[RecordedRun], as_then: AsThen) -> Iterator[Pair]:
    """Yield pairs of a first run and the new run that repeats it, parents before their children.

    `run` is one of the first runs; all runs of its process are matched. Runs are matched by name and params, then by
    params alone, then by position. Params are compared after `as_then`.
    """
    tops = [found for found in new if found.parent_id is None]
    for first, again in _match(_runs_of_process(leader_of(run)), tops, as_then):
        yield from _match_families(first, again, as_then)


def _match_families(first: RecordedRun, again: RecordedRun, as_then: AsThen) -> Iterator[Pair]:
    waiting, seen = [(first, again)], {first.id}
    while waiting:
        pair = waiting.pop()
        yield pair
        children = [child for child in pair[0].children if child.id not in seen]
        seen.update(child.id for child in children)
        waiting += reversed(list(_match(children, list(pair[1].children), as_then)))


def _match(firsts: list[RecordedRun], agains: list[RecordedRun], as_then: AsThen) -> Iterator[Pair]:
    waiting, left = list(agains), list(firsts)
    for by_name in (True, False):
        for first in list(left):
            candidates = (again for again in waiting if not by_name or _same_name(first, again))
            same = next((again for again in candidates if _same_params(first, again, as_then)), None)
            if same is not None:
                waiting.remove(same)
                left.remove(first)
                yield first, same
    yield from zip(left, waiting, strict=False)


def _same_name(first: RecordedRun, again: RecordedRun) -> bool:
    return re.fullmatch(rf"{re.escape(first.name + AGAIN)}(-\d+)?", again.name) is not None


def _same_params(first: RecordedRun, again: RecordedRun, as_then: AsThen) -> bool:
    params = {key: as_then(value) if isinstance(value, str) else value for key, value in again.params.items()}
    return params == first.params and first.experiment == again.experiment


def _runs_of_process(run: RecordedRun) -> list[RecordedRun]:
    """Return the runs without a parent that the process of this run started, oldest first."""
    span = [(run.started + timedelta(days=days)).isoformat() for days in (-MAX_DAYS_APART, MAX_DAYS_APART)]
    around = run.store.runs(f"parent is None and {span[0]!r} <= started <= {span[1]!r}", sort="id")
    wanted = _process(run)
    return [item for item in around if item.command.get("pid") == run.command.get("pid") and _process(item) == wanted]


def _process(run: RecordedRun) -> list[object]:
    """Return the facts that identify a process, also among those with the same pid in other containers."""
    opening = run.writers.contents[0].opening
    return [opening.get(name) for name in ("host", "boot", "pid", "pid_start", "pid_namespace", "argv")]
