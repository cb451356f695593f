"""Writing the log of one process: rows of metrics, each with one `os.write` before the call returns, and events."""

import math
import operator
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from runlore._text import as_text, short_repr
from runlore.log import frames
from runlore.log.events import Event
from runlore.log.file import LogFile
from runlore.log.points import KeySet, stored_key
from runlore.log.values import MAX_DEPTH, MAX_STEP, TWICE, as_number, as_step, key_text, twice

MAX_OVERLAPPING = 128  # key sets of one log that share keys; further ones are written key by key
MAX_VECTOR = 64  # numbers of a metric that get a key each
REPEAT_BYTES = 256 << 10  # of log after which a key set is defined again, so that a damaged definition costs little

Rewrite = Callable[[Event], Mapping[str, Any]]

_NAN = math.nan
_ROW_CRC = frames.CRC_OF_KIND[frames.ROW]
_ROW_MARK = frames.MARK_OF_KIND[frames.ROW]
_pack_head = frames.HEAD.pack


class Shape:
    """A key set with the layout of its rows and the highest step that was logged with it."""

    __slots__ = ("definition", "due", "keys", "last", "number", "pack", "shared", "size")

    def __init__(self, key_set: KeySet, last: int, *, shared: bool) -> None:
        row = key_set.row()
        self.number = key_set.number
        self.keys = key_set.keys
        self.pack = row.pack
        self.size = row.size
        self.definition = frames.frame(frames.KEYS, key_set.encode())
        self.due = 0  # the size of the log at which the definition is written before the next row
        self.last = last
        self.shared = shared  # True if its keys may stand at different steps


class Shapes:
    """The key sets of one log, each by the split and the names that it was logged with, and the last step of each key.

    `rewrite` changes keys before they are stored. The log's lock is needed to define a shape.
    """

    def __init__(self, rewrite: Rewrite) -> None:
        self._rewrite = rewrite
        self._shapes: dict[tuple[Any, ...], Shape] = {}
        self._by_key: dict[str, list[Shape]] = {}
        self._earlier: dict[str, int] = {}  # the last step of each key in earlier segments
        self._overlapping = 0
        self.get = self._shapes.get  # by (split, *names); needs no lock

    def define(self, split: str | None, names: tuple[str, ...]) -> Shape | None:
        """Return the shape of a split and names, made by the first call for them.

        None for several names of which some have too many shapes already: the cost of each call would grow with their
        number, and each would have blocks of its own in the file.
        """
        known = self.get((split, *names))
        if known is not None:
            return known  # another thread was faster
        keys = self.stored(split, names)
        others = [self._by_key[key][0] for key in keys if key in self._by_key]  # later ones know that they share keys
        if len(names) > 1 and others:
            if self._overlapping >= MAX_OVERLAPPING:
                return None
            self._overlapping += 1
        for other in others:
            other.shared = True
        last_steps = {self._earlier.get(key, -1) for key in keys}
        shared = bool(others) or len(last_steps) > 1
        key_set = KeySet(len(self._shapes), keys, None if split is None else str(split))
        shape = Shape(key_set, -1 if shared else max(last_steps, default=-1), shared=shared)
        for key in keys:
            self._by_key.setdefault(key, []).append(shape)
        self._shapes[split, *names] = shape
        return shape

    def next_step(self, key: str) -> int:
        """Return the step behind the highest one of a key that is defined."""
        last = max((shape.last for shape in self._by_key[key]), default=-1)
        return min(max(last, self._earlier.get(key, -1)) + 1, MAX_STEP)

    def last_steps(self) -> dict[str, int]:
        """Return the highest step of each key."""
        found = dict(self._earlier)
        for key, shapes in self._by_key.copy().items():  # other threads may add to it
            found[key] = max((found.get(key, -1), *(shape.last for shape in shapes)))  # there may be none yet
        return found

    def continue_steps(self, last_steps: Mapping[str, int]) -> None:
        """Let automatic steps go on behind those of earlier segments."""
        self._earlier = dict(last_steps)

    def stored(self, split: str | None, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the keys of some names; rewriters see them as an event of type "keys"."""
        keys = tuple(stored_key(as_text(name), split) for name in names)
        found = self._rewrite({"type": "keys", "keys": list(keys)}).get("keys")
        return tuple(map(str, found)) if isinstance(found, list) and len(found) == len(keys) else keys


class LogWriter(LogFile):
    """A log file that takes rows of metrics, too. Threads may share it; nothing raises for the state of the disk.

    `rewrite` changes keys, and the events that are made here, before they are written; `told` is that of `LogFile`.

    Raises (on construction only):
        OSError: the file can't be created.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        opening: Event,
        rewrite: Rewrite = lambda event: event,
        told: set[str] | None = None,
    ) -> None:
        super().__init__(folder, name, opening, told)
        self._rewrite = rewrite
        self._shapes = Shapes(rewrite)

    def last_steps(self) -> dict[str, int]:
        """Return the highest step of each key, earlier segments included."""
        return self._shapes.last_steps()

    def continue_steps(self, last_steps: Mapping[str, int]) -> None:
        """Let automatic steps go on behind those of earlier segments; called before the first row."""
        self._shapes.continue_steps(last_steps)

    def row(
        self,
        metrics: Mapping[str, Any],
        step: int | None = None,
        epoch: float | None = None,
        split: str | None = None,
    ) -> None:
        """Write one row. Without a step, each key goes on behind its highest one.

        Trainings call this at every step: it is written for rows of floats, and leaves everything else to others.
        """
        shape = self._shapes.get((split, *metrics)) or self._define(split, tuple(metrics))
        values = [*metrics.values()]
        for value in values:
            if type(value) is not float and not isinstance(value, float):  # numpy's float64 is packed as it is
                return self._convert(metrics, step, epoch, split)
        if shape is None:
            return self._row_of_each(metrics, step, epoch, split)
        with self.lock:
            if step is not None:
                at_step = step
            elif not shape.shared:
                at_step = min(shape.last + 1, MAX_STEP)
            else:
                return self._row_by_key(shape, metrics, epoch, split)
            now = time.time_ns() // 1000
            if not self.newest_us <= now < self.look_us:
                now = self.attend(now)
            self.newest_us = now
            try:
                body = shape.pack(shape.number, now, at_step, _NAN if epoch is None else epoch, *values)
            except Exception:  # no numbers of 64 bits, or a foreign object's conversion
                return self._convert(metrics, step, epoch, split)
            if at_step > shape.last:
                shape.last = at_step if type(at_step) is int else operator.index(at_step)
            data = _pack_head(_ROW_MARK, shape.size, crc32(body, _ROW_CRC)) + body
            if self.size < shape.due:
                written = self.append(data, len(values))
            else:
                written = self.append(shape.definition + data, len(values))
                if written:
                    shape.due = self.size + REPEAT_BYTES
            if not written and self.successor is not None:
                self.successor.row(metrics, step, epoch, split)

    def _define(self, split: str | None, names: tuple[Any, ...]) -> Shape | None:
        """Return the shape of some names, which count by their texts: 1 and True, which are equal, are two keys."""
        texts = tuple([name if type(name) is str else as_text(name) for name in names])
        with self.lock:
            shape = self._shapes.get((split, *texts))
            if shape is None:
                shape = self._shapes.define(split, texts)
                for key in twice(shape.keys) if shape is not None else ():
                    self._tell_twice(key)
            return shape

    def _tell_twice(self, key: str) -> None:
        self._tell(f"metric {key!r}", *TWICE.split(": "))

    def _convert(self, metrics: Mapping[str, Any], step: Any, epoch: Any, split: str | None) -> None:
        """Write a row of floats, with a step and an epoch that fit, made of whatever was given."""
        values: dict[str, float] = {}
        for name, value in metrics.items():
            number = as_number(value)
            if number is None:
                self._spread(values, name, value)
            else:
                if name in values:
                    self._tell_twice(as_text(name))
                values[name] = number
        if values:
            self.row(values, self._usable_step(step), self._usable_epoch(epoch), split)

    def _spread(self, values: dict[str, float], name: Any, value: Any) -> None:
        """Add the numbers of a nested mapping or a short vector; tell of what is none."""
        try:
            items = list(_spread(name, value))
        except Exception:  # a foreign mapping or array
            items = [(name, value)]
        for key, item in items:
            number = as_number(item)
            if number is None:
                self._leave_out(f"metric {as_text(key)!r}", f"is {short_repr(item)}, not a number")
            else:
                if key in values:
                    self._tell_twice(key)
                values[key] = number

    def _leave_out(self, what: str, why: str) -> None:
        self._tell(what, why, "left out, the others are kept")

    def _tell(self, what: str, why: str, so: str) -> None:
        if self.warn_once(what, f"{what} {why}: {so}"):
            self.event(dict(self._rewrite({"type": "missing", "what": what, "why": why})))

    def _usable_step(self, step: Any) -> int | None:
        number = None if step is None else as_step(step)
        if number is None and step is not None:
            self.warn_once(
                "step", f"step {short_repr(step)} is not a whole number of 64 bits: the key's next step is used"
            )
        return number

    def _usable_epoch(self, epoch: Any) -> float | None:
        number = None if epoch is None else as_number(epoch)
        if number is None and epoch is not None:
            self.warn_once("epoch", f"epoch {short_repr(epoch)} is not a number: left out")
        return number

    def _row_of_each(self, metrics: Mapping[str, Any], step: Any, epoch: Any, split: str | None) -> None:
        """Write a row of its own for each key, all at once."""
        with self.lock:
            now = self._now()
            data, shapes = [], []
            for name, value in metrics.items():
                shape = self._define(split, (name,))
                assert shape is not None  # of one name it never is
                at_step = self._shapes.next_step(*shape.keys) if step is None else step
                try:
                    body = shape.pack(shape.number, now, at_step, _NAN if epoch is None else epoch, value)
                except Exception:  # likewise
                    return self._convert(metrics, step, epoch, split)
                shape.last = max(shape.last, operator.index(at_step))
                data += [shape.definition] if self.size >= shape.due else []
                data.append(_pack_head(_ROW_MARK, shape.size, crc32(body, _ROW_CRC)) + body)
                shapes.append(shape)
            written = self.append(b"".join(data), len(shapes))
            for shape in shapes if written else ():
                if self.size >= shape.due:
                    shape.due = self.size + REPEAT_BYTES
            if not written and self.successor is not None:
                self.successor.row(metrics, step, epoch, split)

    def _row_by_key(self, shape: Shape, metrics: Mapping[str, Any], epoch: float | None, split: str | None) -> None:
        """Write a row without a step whose keys may stand at different ones: a row for each step."""
        groups: dict[int, dict[str, Any]] = {}
        for key, (name, value) in zip(shape.keys, metrics.items(), strict=True):
            groups.setdefault(self._shapes.next_step(key), {})[name] = value
        for step, group in groups.items():
            self.row(group, step, epoch, split)


class AddingWriter(LogWriter):
    """A log that adds to a run that others may write at the same time: it tells which steps it has counted by itself.

    Readers put such points behind those of other writers: nobody who counts knows of the others.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._counts: dict[tuple[str | None, str], bool] = {}  # by split and name: False where a step was ever given
        self._is_counting = False
        super().__init__(*arguments, **options)

    def row(
        self,
        metrics: Mapping[str, Any],
        step: int | None = None,
        epoch: float | None = None,
        split: str | None = None,
    ) -> None:
        """Write one row; see `LogWriter.row`."""
        with self.lock:
            if not self._is_counting:
                self._tell_counted(split, tuple(metrics), counted=step is None or as_step(step) is None)
            super().row(metrics, step, epoch, split)

    def _tell_counted(self, split: str | None, names: tuple[Any, ...], *, counted: bool) -> None:
        """Write which keys are counted from now on, or are not any more as steps of them are given, too."""
        told: list[str] = []
        for name in [name if type(name) is str else as_text(name) for name in names]:
            before = self._counts.get((split, name))
            if before is None or (before and not counted):
                self._counts[split, name] = counted
                told += [name] if counted or before else []
        if told:
            keys = list(self._shapes.stored(split, tuple(told)))
            self.event({"type": "counted", "keys": keys} | ({} if counted else {"given": True}))

    def _row_by_key(self, shape: Shape, metrics: Mapping[str, Any], epoch: float | None, split: str | None) -> None:
        self._is_counting = True
        try:
            super()._row_by_key(shape, metrics, epoch, split)
        finally:
            self._is_counting = False


def _spread(name: Any, value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield the numbers of a metric by their keys: a nested mapping gets dotted keys, a short vector numbered ones."""
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        for key, item in value.items():
            yield from _spread(f"{name}.{key_text(key)}", item, depth + 1)
        return
    items = value if isinstance(value, list | tuple) else None
    if getattr(value, "ndim", 0) == 1 and 1 < len(value) <= MAX_VECTOR:
        items = value.tolist()
    if items is None or not 0 < len(items) <= MAX_VECTOR:
        yield name, value
        return
    for place, item in enumerate(items):
        yield f"{name}.{place}", item
