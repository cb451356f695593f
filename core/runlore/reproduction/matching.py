"""Which run stands for which, when a command was run again."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from runlore.recording.starting import AGAIN
from runlore.store.runs import RecordedRun

LONGEST = 7  # days between runs of one process

Pair = tuple[RecordedRun, RecordedRun]  # the first, and the one that stands for it
AsThen = Callable[[str], str]


def leader_of(run: RecordedRun) -> RecordedRun:
    """The outermost run, whose process was the script's own."""
    parent = run.parent
    return run if parent is None else leader_of(parent)


def counterparts(run: RecordedRun, new: Sequence[RecordedRun], as_then: AsThen) -> Iterator[Pair]:
    """Each new run with the one that it stands for, children below their parents.

    Runs with the same name and params belong together, folders called `as_then`, then those with the same params; of
    several, and of the others, those that come at the same place.
    """
    tops = [found for found in new if found.parent_id is None]
    for first, again in _matched(_of_the_process(leader_of(run)), tops, as_then):
        yield first, again
        yield from _below(first, again, as_then)


def descendants(run: RecordedRun) -> Iterator[RecordedRun]:
    """A run and all below it."""
    yield run
    for child in run.children:
        yield from descendants(child)


def _below(first: RecordedRun, again: RecordedRun, as_then: AsThen) -> Iterator[Pair]:
    for child, found in _matched(list(first.children), list(again.children), as_then):
        yield child, found
        yield from _below(child, found, as_then)


def _matched(firsts: list[RecordedRun], agains: list[RecordedRun], as_then: AsThen) -> Iterator[Pair]:
    waiting, left = list(agains), list(firsts)
    for named in (_same_name, _any_name):
        for first in list(left):
            same = next((again for again in waiting if named(first, again) and _alike(first, again, as_then)), None)
            if same is not None:
                waiting.remove(same)
                left.remove(first)
                yield first, same
    yield from zip(left, waiting, strict=False)


def _same_name(first: RecordedRun, again: RecordedRun) -> bool:
    return re.fullmatch(rf"{re.escape(first.name + AGAIN)}(-\d+)?", again.name) is not None


def _any_name(first: RecordedRun, again: RecordedRun) -> bool:
    return True


def _alike(first: RecordedRun, again: RecordedRun, as_then: AsThen) -> bool:
    params = {key: as_then(value) if isinstance(value, str) else value for key, value in again.params.items()}
    return params == first.params and first.experiment == again.experiment


def _of_the_process(run: RecordedRun) -> list[RecordedRun]:
    """The runs without a parent that the process of this run began, oldest first."""
    span = [(run.started + timedelta(days=days)).isoformat() for days in (-LONGEST, LONGEST)]
    around = run.store.runs(f"parent is None and {span[0]!r} <= started <= {span[1]!r}", sort="id")
    wanted = _process(run)
    return [item for item in around if item.command.get("pid") == run.command.get("pid") and _process(item) == wanted]


def _process(run: RecordedRun) -> list[object]:
    """What tells a process from others, also from one that has the same number in another container."""
    opening = run._writers.contents[0].opening
    return [opening.get(name) for name in ("host", "boot", "pid", "pid_start", "pid_namespace", "argv")]
