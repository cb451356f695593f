"""Writing one log: a frame per call, each one `os.write` under the lock before the call returns."""

import json
import math
import operator
import os
import re
import struct
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from zlib import crc32

from runlore._ids import new_suffix
from runlore._warnings import report
from runlore.log import frames, liveness
from runlore.log.points import ROW_PREFIX, KeySet, stored_key
from runlore.log.reader import FOREIGN, Event
from runlore.log.sealing import seal
from runlore.log.values import MAX_STEP, as_number, as_step, short_repr

REPEAT_BYTES = 256 << 10  # after which a key set is defined again, so that damage can't cost more

SEAL_BYTES = 16 << 20  # a longer log is sealed by the next reader, not by the training process

KEPT_EVENTS = 1 << 20  # bytes of events that wait for room on a full disk

Rewrite = Callable[[Event], Mapping[str, Any]]

_CRC = frames.CRC_OF_KIND[frames.ROW]

_MARK = frames.MARK_OF_KIND[frames.ROW]

_HEAD = frames.HEAD.pack

_NAN = math.nan
_SURROGATES = re.compile("[\ud800-\udfff]")
_open_writers: "weakref.WeakSet[LogWriter]" = weakref.WeakSet()  # os.register_at_fork has no counterpart to undo it


class _Shape:
    """A key set as the writer uses it: its packing, and the highest step it has seen."""

    __slots__ = ("again", "frame", "key_set", "last", "number", "pack", "shared", "size")

    def __init__(self, key_set: KeySet) -> None:
        row = struct.Struct(f"<{ROW_PREFIX}{len(key_set.keys)}d")
        self.key_set = key_set
        self.number = key_set.number
        self.pack = row.pack
        self.size = row.size
        self.frame = frames.frame(frames.KEYS, key_set.encode())
        self.again = 0  # the size of the log from which the definition is due
        self.last = -1
        self.shared = False  # whether a key also stands in another shape


class LogWriter:
    """The log of one writing process. Threads may share it.

    Nothing here raises for the state of the disk: what can't be written is counted, reported once, and told in the log
    when there is room again.

    Raises (on construction only):
        OSError: the file can't be made.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        opening: Event,
        rewrite: "Callable[[Event], Mapping[str, Any]]" = lambda event: event,
    ) -> None:
        self._rewrite = rewrite
        self.path = folder / f"{name}.log"
        self.lost_calls = 0
        self.owner = os.getpid()
        self._lock = threading.RLock()
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._shapes: dict[tuple[str | None, tuple[str, ...]], _Shape] = {}
        self._by_key: dict[str, list[_Shape]] = {}
        self._earlier: dict[str, int] = {}  # the last steps of keys in earlier segments
        self._gap = {"calls": 0, "points": 0, "since": 0}
        self._waiting: list[bytes] = []  # events that found no room
        self._warned: set[str] = set()
        self._beat: threading.Event | None = None
        draft = folder / f".{name}.{new_suffix(4)}.tmp"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(draft, flags, 0o600)
        try:
            liveness.hold(self._fd)
            head = frames.signature(frames.LOG_SIGNATURE).ljust(frames.SLOT_END, b"\0")
            data = head + _event_frame(self._stamped(opening))
            if os.write(self._fd, data) != len(data):
                raise OSError("no room for the head of the log")
            draft.rename(self.path)
        except BaseException:
            os.close(self._fd)
            self._fd = -1
            draft.unlink(missing_ok=True)
            raise
        self._size = len(data)
        _open_writers.add(self)
        if liveness.on_network_disk(folder.parent.parent):
            self._start_heartbeat()

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written here."""
        return self._fd < 0

    def now(self) -> int:
        """Microseconds since 1970 by a clock that never goes backwards within this log."""
        return (time.monotonic_ns() + self._offset_ns) // 1000

    def last_steps(self) -> dict[str, int]:
        """The highest step of each key so far."""
        found = dict(self._earlier)
        for key, shapes in self._by_key.items():
            found[key] = max(found.get(key, -1), *(shape.last for shape in shapes))
        return found

    def continue_steps(self, last_steps: Mapping[str, int]) -> None:
        """Let automatic steps go on behind those of earlier segments."""
        self._earlier = dict(last_steps)

    def row(
        self,
        metrics: Mapping[str, Any],
        step: int | None = None,
        epoch: float | None = None,
        split: str | None = None,
    ) -> None:
        """Write one row; its keys are as they were given (`stored_key` maps them when a shape is first seen)."""
        shape = self._shapes.get((split, tuple(metrics))) or self._define(metrics, split)
        values = [*metrics.values()]
        for value in values:
            if type(value) is not float:
                return self._row_of_others(metrics, step, epoch, split)
        with self._lock:
            if step is None:
                if shape.shared:
                    return self._row_by_key(metrics, epoch, split)
                step = min(shape.last + 1, MAX_STEP)
            try:
                body = shape.pack(
                    shape.number,
                    (time.monotonic_ns() + self._offset_ns) // 1000,
                    step,
                    _NAN if epoch is None else epoch,
                    *values,
                )
            except (struct.error, TypeError):
                return self.row(metrics, self._usable_step(step), self._usable_epoch(epoch), split)
            if step > shape.last:
                shape.last = step if type(step) is int else operator.index(step)
            data = _HEAD(_MARK, shape.size, crc32(body, _CRC)) + body
            if self._size >= shape.again or self._gap["calls"] or self._waiting:
                return self._write_slowly(data, shape)
            try:
                written = os.write(self._fd, data)
            except OSError as error:
                return self._lose(error, points=len(values))
            if written != len(data):
                return self._lose(None, points=len(values), written=written)
            self._size += written

    def event(self, event: Event) -> None:
        """Write one event; `time` is added."""
        data = _event_frame(self._stamped(event))
        with self._lock:
            if self.closed:
                return self._refuse()
            self._waiting.append(data)
            self._write_slowly(b"", None)

    def finish(self, end: Event | None) -> None:
        """Write the end record, if one is given, and seal the log where it is short enough."""
        with self._lock:
            if self.closed:
                return
            if self._beat is not None:
                self._beat.set()
            complete = self._write_end(end)
            descriptor, self._fd = self._fd, -1
            try:
                if complete and self._size <= SEAL_BYTES:
                    with suppress(*FOREIGN):  # a reader seals it later, or says why it can't
                        seal(self.path)
            finally:
                os.close(descriptor)
                _open_writers.discard(self)

    def abandon(self) -> None:
        """Close without unlocking: in a forked child, whose parent goes on writing."""
        descriptor, self._fd = self._fd, -1
        self._lock = threading.RLock()  # another thread of the parent may have held it
        if descriptor >= 0:
            os.close(descriptor)

    def warn_once(self, topic: str, message: str) -> None:
        """Report something that concerns this log, once per topic."""
        if topic not in self._warned:
            self._warned.add(topic)
            report(message)

    # Rows off the fast path

    def _define(self, metrics: Mapping[str, Any], split: str | None) -> _Shape:
        names = tuple(metrics)
        with self._lock:
            known = self._shapes.get((split, names))
            if known is not None:
                return known  # another thread was faster
            keys = self._masked(tuple(stored_key(name, split) for name in names))
            shape = _Shape(KeySet(len(self._shapes), keys, None if split is None else str(split)))
            for key in keys:
                others = self._by_key.setdefault(key, [])
                for other in others:
                    other.shared = shape.shared = True
                others.append(shape)
            before = {self._earlier.get(key, -1) for key in keys}
            shape.shared |= len(before) > 1
            shape.last = max(before, default=-1) if not shape.shared else -1
            self._shapes[split, names] = shape
            return shape

    def _masked(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The keys as rewriters want them written: they see them as an event of type "keys"."""
        found = self._rewrite({"type": "keys", "keys": list(keys)}).get("keys")
        return tuple(map(str, found)) if isinstance(found, list) and len(found) == len(keys) else keys

    def _row_of_others(
        self, metrics: Mapping[str, Any], step: int | None, epoch: float | None, split: str | None
    ) -> None:
        """A row whose values are not all plain floats."""
        values: dict[str, float] = {}
        for name, value in metrics.items():
            number = as_number(value)
            if number is None:
                self._leave_out(f"metric {name!r}", f"is {short_repr(value)}, not a number")
            else:
                values[name] = number
        if values:
            self.row(values, step, epoch, split)

    def _leave_out(self, what: str, why: str) -> None:
        if what not in self._warned:
            self.warn_once(what, f"{what} {why}: left out, the others are kept")
            self.event(dict(self._rewrite({"type": "missing", "what": what, "why": why})))

    def _row_by_key(self, metrics: Mapping[str, Any], epoch: float | None, split: str | None) -> None:
        """A row without a step whose keys may stand at different steps: one row per step."""
        groups: dict[int, dict[str, Any]] = {}
        for name, value in metrics.items():
            (key,) = self._masked((stored_key(name, split),))
            last = max((shape.last for shape in self._by_key[key]), default=-1)
            step = min(max(last, self._earlier.get(key, -1)) + 1, MAX_STEP)
            groups.setdefault(step, {})[name] = value
        for step, group in groups.items():
            self.row(group, step, epoch, split)

    def _usable_step(self, step: Any) -> int | None:
        number = as_step(step)
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

    # The disk

    def _write_slowly(self, data: bytes, shape: _Shape | None) -> None:
        """Write what waits, a gap's record and a due definition before `data`, all in one call."""
        if self.closed:
            return self._refuse()
        batch = list(self._waiting)
        if self._gap["calls"]:
            batch.append(_event_frame(self._stamped({"type": "gap", **self._gap})))
        if shape is not None and self._size >= shape.again:
            batch.append(shape.frame)
        batch.append(data)
        whole = b"".join(batch)
        points = len(shape.key_set.keys) if shape is not None else 0
        try:
            written = os.write(self._fd, whole)
        except OSError as error:
            return self._lose(error, points=points)
        if written != len(whole):
            return self._lose(None, points=points, written=written)
        self._size += written
        self._waiting.clear()
        self._gap = {"calls": 0, "points": 0, "since": 0}
        if shape is not None and self._size >= shape.again:
            shape.again = self._size + REPEAT_BYTES

    def _lose(self, error: OSError | None, *, points: int, written: int = 0) -> None:
        if self.closed:
            return self._refuse()
        if written:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
        if points:
            self.lost_calls += 1
            self._gap["since"] = self._gap["since"] or self.now()
            self._gap["calls"] += 1
            self._gap["points"] += points
        while sum(map(len, self._waiting)) > KEPT_EVENTS:
            self._waiting.pop(0)
            self._gap["calls"] += 1
        reason = error.strerror or str(error) if error else "no space left on device"
        self.warn_once(
            "disk",
            f"can't write to {self.path.name}: {reason}. Training goes on; points are lost until there is room again, "
            "and the run says how many",
        )

    def _refuse(self) -> None:
        self.lost_calls += 1
        self.warn_once("closed", f"{self.path.name} is closed: what is logged now is not recorded")

    def _write_end(self, end: Event | None) -> bool:
        """Whether everything, the end record included, reached the log."""
        if end is not None:
            self._waiting.append(_event_frame(self._stamped(end)))
        if not self._waiting and not self._gap["calls"]:
            return True
        self._write_slowly(b"", None)
        if not self._waiting:
            return True
        if end is not None:
            self._use_slot(end)
        return False

    def _use_slot(self, end: Event) -> None:
        """Write the end record into the room that was reserved for it at the head."""
        room = frames.SLOT_END - frames.SIGNATURE_SIZE
        brief: Event = {**end, "lost": self._gap["calls"]}
        if brief.get("error"):
            brief["error"] = {"type": brief["error"].get("type"), "message": str(brief["error"].get("message"))[:200]}
        data = _event_frame(self._stamped(brief))
        if len(data) > room:
            data = _event_frame(self._stamped({"type": "end", "status": end.get("status")}))
        with suppress(OSError):
            # O_APPEND makes Linux append even with pwrite, so the slot needs a descriptor of its own.
            slot = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(slot, data, frames.SIGNATURE_SIZE)
            finally:
                os.close(slot)

    def _stamped(self, event: Event) -> Event:
        return event if "time" in event else {"type": event["type"], "time": self.now(), **event}

    def _start_heartbeat(self) -> None:
        self._beat = stop = threading.Event()
        writer = weakref.ref(self)

        def beat() -> None:
            while not stop.wait(liveness.HEARTBEAT):
                living = writer()
                if living is None or living.closed:
                    return
                with suppress(OSError):
                    os.utime(living._fd)

        threading.Thread(target=beat, name="runlore-heartbeat", daemon=True).start()


def _event_frame(event: Event) -> bytes:
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False, default=str)
    try:
        payload = text.encode()
    except UnicodeEncodeError:  # half a character, from a file name that is no UTF-8, say: it is stored as its escape
        payload = _SURROGATES.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text).encode()
    return frames.frame(frames.EVENT, payload)


def _abandon_all() -> None:
    for writer in list(_open_writers):
        writer.abandon()
    _open_writers.clear()


os.register_at_fork(after_in_child=_abandon_all)
