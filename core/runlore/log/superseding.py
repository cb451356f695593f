"""Decide what of a run still counts: later files cut or replace points, later events change artifacts.

The rule for points stands in `supersede`. It fills one of two forms: a mapping by step, for records, as these are read
where numpy would take long to import; or arrays, for series.
"""

import math
import warnings
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from runlore.errors import RunloreWarning
from runlore.log import columns
from runlore.log.events import Event
from runlore.log.frames import are_texts
from runlore.log.points import Points, Tally, Unpack
from runlore.log.reader import Content
from runlore.log.values import MAX_STEP

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]


COMPLETED_FIELDS = "size mtime_ns sha256 stored files executable escaped_files why pending keep".split()  # told later
MAX_MAPPED = 100_000  # points that are looked at without numpy, which takes long to import
MAX_AT_ONCE = 16_000_000  # points


class Artifacts:
    """The artifacts of a run, merged from its events.

    No event is looked at more than once, whatever it concerns: one that drops or removes is only noted, with its
    number, and an artifact is told of it when it changes itself, or when somebody asks.
    """

    def __init__(self) -> None:
        self._items: list[dict[str, Any]] = []
        self._now = 0  # the number of the last event
        self._told = 0  # the number up to which all items were told
        self._taken: list[int] = []  # the number of the event that recorded each item …
        self._changed: list[int] = []  # … and of the last one that completed it
        self._by_id: dict[str, int] = {}  # places among the items, here and below
        self._pending: dict[str | None, list[int]] = {}  # heaps of those without an id, by path …
        self._timed: dict[tuple[str | None, int], list[int]] = {}  # … and also by mtime
        self._newest: dict[str | None, int] = {}  # checkpoints by path
        self._holders: dict[str, int] = {}  # checkpoints by role
        self._removals: dict[str, int] = {}  # numbers by path
        self._drops: dict[str, tuple[int, str | None]] = {}  # number and reason by hash
        self._code: set[tuple[str, str | None]] = set()

    @property
    def items(self) -> list[dict[str, Any]]:
        """The artifacts, in the order they were recorded."""
        if self._told < self._now:
            self._told = self._now
            for place, item in enumerate(self._items):
                self._tell(place, item)
        return self._items

    def take(self, event: Event) -> None:
        """Take an artifact, or what completes one."""
        self._now += 1
        if event.get("completes"):
            self._complete(event)
            return
        if event["kind"] == "code":
            code = event["name"], event.get("sha256")
            if code in self._code:
                return  # of a run that this one includes: the same code was captured for both
            self._code.add(code)
        place = len(self._items)
        item = {"present": True, **event}
        self._items.append(item)
        self._taken.append(self._now)
        self._changed.append(self._now)
        if event["kind"] == "checkpoint":  # a path has one content, and a role one checkpoint
            path = item.get("path")
            if path in self._newest:
                self._items[self._newest[path]]["present"] = False
            self._newest[path] = place
            if item.get("roles"):
                self._holders.update(dict.fromkeys(item["roles"], place))
        if "id" in event:
            self._by_id[event["id"]] = place
        else:
            self._await(place)

    def remove(self, path: str) -> None:
        """Take that what lies at a path is gone: the newest checkpoint, else all that was recorded there."""
        self._now += 1
        if path in self._newest:
            self._items[self._newest[path]]["present"] = False
        else:
            self._removals[path] = self._now

    def drop(self, hashes: Iterable[str], why: str | None) -> None:
        """Take that the store does not keep some contents for this run any more."""
        self._now += 1
        self._drops.update(dict.fromkeys(hashes, (self._now, why)))

    def _complete(self, event: Event) -> None:
        """Add to a known artifact: its hash, or that it is to be kept."""
        place = self._by_id.get(event["id"]) if "id" in event else self._unnamed(event)
        if place is None:
            return
        item = self._items[place]
        self._tell(place, item)
        told = {key: event[key] for key in COMPLETED_FIELDS if key in event}
        hashed_only = bool(item.get("keep")) and not told.keys() & {"stored", "why"}  # it is still to be kept
        item.update({"pending": hashed_only, **told})
        self._changed[place] = self._now
        if "id" not in item:
            self._await(place)

    def _await(self, place: int) -> None:
        """Note where an artifact without an id is found by its path: if it is pending, or by its time."""
        path, mtime_ns = self._items[place].get("path"), self._items[place].get("mtime_ns")
        if self._items[place].get("pending"):
            heappush(self._pending.setdefault(path, []), place)
        if mtime_ns is not None:
            heappush(self._timed.setdefault((path, mtime_ns), []), place)

    def _unnamed(self, event: Event) -> int | None:
        """Return the first artifact without an id that an event completes by its path: pending, or of the same time."""
        path, mtime_ns = event.get("path"), event.get("mtime_ns")
        pending = self._pending.get(path, [])
        while pending and not self._items[pending[0]].get("pending"):
            heappop(pending)
        timed = [] if mtime_ns is None else self._timed.get((path, mtime_ns), [])
        while timed and self._items[timed[0]].get("mtime_ns") != mtime_ns:
            heappop(timed)
        return min((*pending[:1], *timed[:1]), default=None)

    def _tell(self, place: int, item: dict[str, Any]) -> None:
        """Change an item by what came after it: others took its roles, it was removed, its content was dropped."""
        if item["kind"] == "checkpoint" and item.get("roles"):
            item["roles"] = [role for role in item["roles"] if self._holders[role] == place]
        if self._removals.get(item.get("path", ""), 0) > self._taken[place]:
            item["present"] = False
        number, why = self._drops.get(item.get("sha256", ""), (0, None))
        if number > self._changed[place]:
            item.update(stored=False, dropped=True, why=why)


class Counting(Protocol):
    """The points of one key that count, as far as files were read."""

    def cut(self, step: int) -> None:
        """Drop the points behind a step."""

    def hold(self, points: Points) -> None:
        """Take a block of the file that is being read."""

    def add(self, *, behind: bool) -> None:
        """Add the points of a file whose blocks were taken; a later one, by position, replaces those of the same step.

        If they are to stand `behind` all others, and don't, their steps are moved as far as that takes.
        """


def supersede(contents: list[Content], series: Mapping[str, Counting], unpack: Unpack) -> None:
    """Add the points of each key that count, file by file in the order of their writers.

    A file that was opened with a cut drops what earlier files have behind that step, but of keys that it spares. Of
    points with the same key and step the last one counts, by the order of files and then of rows. Steps that a writer
    has counted beside others stand for none: its points come behind those of the files before.
    """
    for content in contents:
        opening = content.opening
        cut, spared = opening.get("cut"), frozenset(opening.get("spared") or ())
        if cut is not None:
            for key in series.keys() - spared:
                series[key].cut(cut)
        found: dict[str, None] = {}
        for points in content.points(series, unpack):
            found[points.key] = None
            series[points.key].hold(points)
        counted = counted_keys(content)
        for key in found:
            series[key].add(behind=key in counted)


def exact_tallies(contents: list[Content], keys: set[str], cut: int | None = None) -> dict[str, Tally]:
    """Return the tallies of some keys' points that count; of many points with numpy, a part of the keys at a time.

    With a `cut` the points behind that step don't.
    """
    count = sum(content.count_values(keys) for content in contents)
    if count <= MAX_MAPPED:
        series = {key: _PointsByStep() for key in keys}
        supersede(contents, series, columns.unpack)
        return _tallies_of(series, cut)
    found: dict[str, Tally] = {}
    waiting = sorted(keys)
    size = max(1, len(waiting) * MAX_AT_ONCE // count)
    for place in range(0, len(waiting), size):
        arrays = {key: _PointArrays() for key in waiting[place : place + size]}
        supersede(contents, arrays, columns.unpack_numpy)
        found |= _tallies_of(arrays, cut)
    return found


def _tallies_of(series: "Mapping[str, _PointsByStep | _PointArrays]", cut: int | None) -> dict[str, Tally]:
    if cut is not None:
        for points in series.values():
            points.cut(cut)
    return {key: points.tally() for key, points in series.items()}


def read_series(contents: list[Content], keys: Iterable[str]) -> "dict[str, Arrays]":
    """Return steps, values, times (µs) and epochs of some keys' points that count, in the order of steps.

    Each block is read once for all keys. Damaged blocks are left out, which `warn_of_losses` tells.
    """
    series = {key: _PointArrays() for key in keys}
    supersede(contents, series, columns.unpack_numpy)
    return {key: points.arrays() for key, points in series.items()}


def warn_of_losses(contents: list[Content], key: str) -> None:
    """Warn if damaged blocks of a key's points were left out when they were read."""
    for content in contents:
        lost = content.lost_blocks(key)
        if lost:
            warnings.warn(
                f"{content.path.name}: {lost} damaged blocks of points were left out of {key!r}",
                RunloreWarning,
                stacklevel=2,
            )


class _PointsByStep:
    """Points as a mapping by step."""

    def __init__(self) -> None:
        self._points: dict[int, tuple[float, int]] = {}  # value and time
        self._last = -1  # no step is above it
        self._held: list[Points] = []
        self._split: str | None = None

    def cut(self, step: int) -> None:
        if step < self._last:
            self._points = {known: point for known, point in self._points.items() if known <= step}
            self._last = step

    def hold(self, points: Points) -> None:
        self._held.append(points)

    def add(self, *, behind: bool) -> None:
        blocks, self._held = self._held, []
        columns_of = (
            [column.tolist() for column in (item.position, item.step, item.value, item.time)] for item in blocks
        )
        rows = [row for found in columns_of for row in zip(*found, strict=True)]
        rows.sort(key=itemgetter(0))
        steps = [step for _, step, _, _ in rows]
        moved = _distance(max(self._points), min(steps), max(steps)) if behind and self._points else 0
        self._points.update({step + moved: (value, time) for _, step, value, time in rows})
        self._last = max(self._last, max(steps) + moved)
        self._split = blocks[-1].split

    def tally(self) -> Tally:
        points = self._points
        if not points:
            return Tally(self._split)
        last_step = max(points)
        numbers = [value for value, _ in points.values() if not math.isnan(value)]
        times = [time for _, time in points.values()]
        low, high = min(numbers, default=None), max(numbers, default=None)
        tally = Tally.of(self._split, len(points), (last_step, points[last_step][0]), (low, high))
        tally.first_time, tally.last_time = min(times), max(times)
        return tally


class _PointArrays:
    """Points as arrays, in the order of files and rows until they are asked for."""

    def __init__(self) -> None:
        import numpy as np

        from runlore.log.long.gathered import Gathered

        self._steps: NDArray[np.int64] = np.empty(0, np.int64)
        self._last = -1  # no step is above it
        self._times: NDArray[np.int64] = np.empty(0, np.int64)
        self._values: NDArray[np.float64] = np.empty(0)
        self._epochs: NDArray[np.float64] = np.empty(0)
        self._held = Gathered()  # of the file that is being read
        self._split: str | None = None

    def cut(self, step: int) -> None:
        if step < self._last:
            self._choose(self._steps <= step)
            self._last = step

    def hold(self, points: Points) -> None:
        self._split = points.split
        self._held.add(points)

    def add(self, *, behind: bool) -> None:
        import numpy as np

        from runlore.log.long.gathered import Gathered

        held, self._held = self._held, Gathered()
        times, steps, epochs, values = held.in_order()
        if behind and len(self._steps):
            steps = steps + _distance(int(self._steps.max()), int(steps.min()), int(steps.max()))
        self._last = max(self._last, int(steps.max(initial=-1)))
        if len(self._steps):
            steps, times = np.concatenate([self._steps, steps]), np.concatenate([self._times, times])
            values, epochs = np.concatenate([self._values, values]), np.concatenate([self._epochs, epochs])
        self._steps, self._times, self._values, self._epochs = steps, times, values, epochs

    def tally(self) -> Tally:
        steps, values, times, _ = self.arrays()
        tally = Tally(self._split)
        if len(steps):
            tally.add_arrays(steps, values, times)
            tally.first_time, tally.last_time = int(times.min()), int(times.max())
        return tally

    def arrays(self) -> "Arrays":
        """Return steps, values, times and epochs in the order of steps, each step once."""
        import numpy as np

        if len(self._steps) > 1 and not (self._steps[1:] > self._steps[:-1]).all():
            _, latest = np.unique(self._steps[::-1], return_index=True)  # of equal steps the last one
            self._choose(len(self._steps) - 1 - latest)
        return self._steps, self._values, self._times, self._epochs

    def _choose(self, chosen: "NDArray[np.bool_ | np.intp]") -> None:
        self._steps, self._times = self._steps[chosen], self._times[chosen]
        self._values, self._epochs = self._values[chosen], self._epochs[chosen]


def _distance(last: int, first: int, end: int) -> int:
    """Return how far points from `first` to `end` are moved to come behind `last`; 0 where they do, or can't."""
    moved = max(0, last + 1 - first)
    return moved if end + moved <= MAX_STEP else 0


def counted_keys(content: Content) -> set[str]:
    """Return the keys whose steps a writer has counted, while others may have counted the same ones."""
    keys: set[str] = set()
    for event in content.events:
        if event["type"] == "counted" and are_texts(event.get("keys")):
            (keys.difference_update if event.get("given") else keys.update)(event["keys"])
    return keys


class Notes:
    """The notes of a run and what became of them; a correction may come before its note, the last of several counts."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._corrections: dict[int, Event] = {}  # by the times of their notes

    def take(self, event: Event) -> None:
        """Take a note, or what corrects or removes one."""
        if event["type"] == "note":
            self._events.append(event)
        else:
            self._corrections[event["note"]] = event

    def now(self) -> list[Event]:
        """Return the notes as they are, in the order that they were written in."""
        told = [(event, self._corrections.get(event["time"])) for event in self._events]
        return [
            event if by is None else {**event, "text": by["text"], "edited": by}
            for event, by in told
            if by is None or by.get("text") is not None
        ]

    def __contains__(self, time: object) -> bool:
        return any(event["time"] == time for event in self._events)
