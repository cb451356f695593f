"""The file of a log that is being written: created under the writer's lock, appended to, ended and sealed."""

import errno
import fcntl
import os
import sys
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Self

from runlore import _inside
from runlore._ids import new_suffix
from runlore._process import Part, process
from runlore._sharing import make_folder, open_file
from runlore._streams import close_own, file_identity, is_still, to_stay_open
from runlore._warnings import report
from runlore.errors import FormatError
from runlore.log import frames, liveness
from runlore.log.events import Event, event_frame, event_frames
from runlore.log.folder import Folder, place_of, root_of
from runlore.log.sealing import seal

WRITTEN = os.O_RDWR | os.O_APPEND
MAX_SEALED_BYTES = 16 << 20  # a longer log is sealed by the next reader, not by the training process
MAX_WAITING_BYTES = 1 << 20  # of events that wait for room on a full disk
SET_BACK_US = 1_000_000  # by less than this a clock is only adjusted
LOOK_US = 1_000_000  # between looks at where the file lies, while it is written
COPY_BYTES = 1 << 20  # in one piece
PATIENCE = 100  # times as long as it took in vain is waited before a removed file is written anew again
MAX_MESSAGE = 200  # characters of an error's message in the reserved room at the head
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # for this much; something shorter may fit
HINTS = {errno.EFBIG: "the process may not write longer files, see `ulimit -f`"}


class OpenLogs(Part):
    """The logs that this process has open. A forked child closes them before it does anything else."""

    def __init__(self) -> None:
        self.files: weakref.WeakSet[LogFile] = weakref.WeakSet()

    def forget(self) -> None:
        """Close the parent's logs in a forked child."""
        for file in list(self.files):
            file.abandon()


class LogFile:
    """Appends frames to one log, each call with one `os.write` before it returns. Threads may share it.

    Nothing raises for the state of the disk. Where there is no room, events wait in memory, and rows are lost and
    counted; this is reported once, and both events and the count (a "gap" event) are written when there is room again.
    Where its folder is renamed, `path` follows; where the file is removed, it is written anew.

    `told` holds the topics that were reported already; the files that a process writes of one run share it.

    Raises (on construction only):
        OSError: the file can't be created.
    """

    def __init__(self, folder: Path, name: str, opening: Event, told: set[str] | None = None) -> None:
        self.path = folder / f"{name}.log"
        self.lock = threading.RLock()
        self.closed = False
        self.successor: Self | None = None  # takes over when this is closed
        self.newest_us = 0  # the time of the newest frame
        self.look_us = sys.maxsize  # from which on to look where the file lies
        self.was_removed = False  # and written anew
        self._began_ns, self._began_us = time.monotonic_ns(), time.time_ns() // 1000
        self._is_segment = opening.get("mode") in ("start", "resume") and "time" not in opening  # from its beginning
        self._run_id = name.partition(".")[0]
        self._run = f"run {opening['name']!r}" if opening.get("name") else f"run {self._run_id}"
        self._gap: Event | None = None  # calls and points that were lost since the last write
        self._waiting: list[bytes] = []  # frames of events that found no room
        self._failure = OSError()  # of the last write that failed
        self._told = set[str]() if told is None else told
        self._stop_heartbeat = threading.Event()
        self.size = 0
        self.has_lock = True
        self._descriptor = self._create(f"{folder}/.{name}.{new_suffix(4)}.tmp", opening)
        self.look_us = self.newest_us + LOOK_US
        process.part(OpenLogs).files.add(self)
        if not self.has_lock or liveness.on_network_disk(folder.parent.parent):
            liveness.start_heartbeat(self.touch, self._stop_heartbeat)

    def append(self, data: bytes, points: int) -> bool:
        """Append the frames of a row of some points; return False if they were not written. The caller holds `lock`."""
        if self._waiting or self._gap:
            return self._append_with_overdue(data, points)
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            return self.append(data, points) if self._opened_again(error) else self._lose(points, error)
        if written != len(data):
            why = _write_rest(self._descriptor, data, written, self.size)
            if why is not None:
                return self._lose(points, why)
        self.size += len(data)
        return True

    def event(self, event: Event) -> None:
        """Append an event, with the time unless it has one; what no frame can hold is named as missing."""
        data = event_frames(self._stamped(event), self._run_id)
        with self.lock:
            if self.closed:
                if self.successor is None:
                    self._lose(0, self._failure)
                else:
                    self.successor.event(event)
                return
            self._waiting += data
            self._append_with_overdue(b"", 0)

    def finish(self, end: Event | None, successor: Self | None = None, *, seals: bool = True) -> None:
        """Write the end record, if one is given, seal the log unless it is long or left to a reader, and close it.

        Calls of other threads that come too late go to the `successor`, where there is one.
        """
        with self.lock:
            if self.closed:
                return
            self.look()
            self.successor = successor
            self._stop_heartbeat.set()
            complete = self._write_end(end)
            descriptor, self._descriptor = self._descriptor, -1
            self.closed = True
            try:
                if complete and seals and self.size <= MAX_SEALED_BYTES:
                    with suppress(OSError, FormatError, MemoryError):  # a reader seals it later, or says why it can't
                        seal(self.path)
            finally:
                close_own(descriptor, self._file)
                process.part(OpenLogs).files.discard(self)

    def abandon(self) -> None:
        """Close without unlocking, in a forked child: the parent goes on writing. `path` is where the file lies now."""
        descriptor, self._descriptor = self._descriptor, -1
        self.closed = True
        self.lock = threading.RLock()  # another thread of the parent may have held it
        if descriptor >= 0:
            with suppress(OSError):
                self.path = place_of(descriptor, self.path) or self.path
            close_own(descriptor, self._file)

    def touch(self) -> None:
        """Set the file's time to now, for readers on other machines."""
        with self.lock:  # once closed, the number of the descriptor may be another file's
            if not self.closed:
                with suppress(OSError):
                    os.utime(self._descriptor)

    def look(self) -> None:
        """Look where the file lies, and write it anew where somebody has removed it."""
        with self.lock:
            if self.closed:
                return
            self.look_us = time.time_ns() // 1000 + LOOK_US
            if not is_still(self._descriptor, self._file):
                self._descriptor = -1  # which the next write opens again
                return
            with suppress(OSError):  # the disk is gone, which the next write tells
                place = place_of(self._descriptor, self.path)
                if place is None:
                    self._write_anew()
                else:
                    self.path = place

    def warn_once(self, topic: str, message: str) -> bool:
        """Report something that concerns this run; return False where it was reported before."""
        if topic in self._told:
            return False
        self._told.add(topic)
        report(message)
        return True

    def _create(self, draft: str, opening: Event) -> int:
        """Create the file whole, by a rename; return its descriptor, which holds the writer's lock."""
        head = frames.signature(frames.LOG_SIGNATURE).ljust(frames.SLOT_END, b"\0")
        with _inside.opened(None, draft) as above:
            descriptor = to_stay_open(open_file(draft, WRITTEN | os.O_CREAT | os.O_EXCL, above=above))
            try:
                self._file = file_identity(descriptor)
                known: Event = {"file": self._file}
                self.has_lock = liveness.hold(descriptor)
                if not self.has_lock:
                    known["locks"] = False
                data = head + event_frame(self._stamped({**opening, **known}), self._run_id)
                if os.write(descriptor, data) != len(data):
                    raise OSError("no room for the head of the log")
                _inside.rename(draft, self.path, above=above)
                self.size = len(data)
            except BaseException:
                os.close(descriptor)
                _inside.drop(draft, above=above)
                raise
        return descriptor

    def _write_anew(self) -> None:
        """Write the file where it was: only this process can still read what was removed."""
        where = f"{self.path.name} was removed while it was written"
        began = time.monotonic_ns()
        try:
            descriptor, self.has_lock = _write_anew(self._descriptor, self.path, self.size)
        except OSError as error:
            self.look_us += PATIENCE * (time.monotonic_ns() - began) // 1000
            why = error.strerror or str(error)
            self.warn_once("lost", f"{where}, and can't be written anew: {why}. Training goes on; this run is lost")
            return
        os.close(self._descriptor)
        self._descriptor, self._file = descriptor, file_identity(descriptor)
        self.was_removed = True
        locks = {} if self.has_lock else {"locks": False}
        self.event({"type": "rewritten", "file": self._file, **locks})
        self.warn_once(
            "removed",
            f"{where}: it stands in {str(self.path.parents[3])!r} again, with all that was logged so far. Other runs "
            "and kept files that were removed are gone. Training goes on",
        )

    def _opened_again(self, error: OSError) -> bool:
        """Return True if a write failed as somebody has closed all descriptors, and the file is open again."""
        if error.errno != errno.EBADF or self.closed:
            return False
        with suppress(OSError):
            descriptor = to_stay_open(open_file(self.path, WRITTEN))
            try:
                if file_identity(descriptor) == self._file:
                    self.has_lock = liveness.hold(descriptor)
                    self._descriptor = descriptor
                    return True
            finally:
                if self._descriptor != descriptor:
                    os.close(descriptor)
        return False

    def _append_with_overdue(self, data: bytes, points: int) -> bool:
        """Append waiting events, the gap and `data` in one write."""
        waiting = list(self._waiting)
        gap = event_frame(self._stamped({"type": "gap", **self._gap})) if self._gap else b""
        whole = b"".join([*waiting, gap, data])
        try:
            written = os.write(self._descriptor, whole)
        except OSError as error:
            if self._opened_again(error):
                return self._append_with_overdue(data, points)
            return self._lose(points, error)
        why = _write_rest(self._descriptor, whole, written, self.size)
        if why is not None:
            return self._lose(points, why)
        self.size += len(whole)
        del self._waiting[: len(waiting)]
        self._gap = None
        return True

    def _lose(self, points: int, error: OSError) -> bool:
        """Count points that were not written, and report it once."""
        if self.closed:
            if self.successor is None:
                self.warn_once("closed", f"{self.path.name} is closed: what is logged now is not recorded")
            return False
        reason = _reason(error)
        if points:
            self._count_lost(points, reason)
        while sum(map(len, self._waiting)) > MAX_WAITING_BYTES:
            self._waiting.pop(0)
            self._count_lost(0, reason)
        self._failure = error
        self.warn_once(
            "disk",
            f"can't write to {self._run} ({self.path.name}): {reason}. Training goes on; what is logged is lost until "
            "it can be written again, and counted",
        )
        return False

    def _count_lost(self, points: int, reason: str) -> None:
        if self._gap is None:
            self._gap = {"calls": 0, "points": 0, "since": self._now(), "why": reason}
        self._gap["calls"] += 1
        self._gap["points"] += points

    def _write_end(self, end: Event | None) -> bool:
        """Return True if everything, the end record included, reached the log."""
        if end is not None:
            ran = (time.monotonic_ns() - self._began_ns) // 1000
            end = _with_time(end, self._began_us, ran) if self._is_segment else end
            self._waiting.append(event_frame(self._stamped(end)))
        if not self._waiting and not self._gap:
            return True
        if self._append_with_overdue(b"", 0):
            return True
        if end is not None:
            self._waiting.pop()
        reason = _reason(self._failure)
        for data in self._waiting:
            if not self._has_room_for(data):
                self._count_lost(0, reason)
        self._waiting.clear()
        told = self._append_with_overdue(b"", 0) if end is None else self._write_brief_end(end, reason)
        if not told:
            calls = self._gap["calls"] if self._gap else 0
            end_too = "" if end is None else f", and nor can its end: it will read crashed, not {end.get('status')}"
            self.warn_once("end", f"{calls} calls of {self._run} can't be written: {reason}{end_too}")
        return False

    def _has_room_for(self, data: bytes) -> bool:
        """Append a single frame where only more than that has found no room; return False if it does not fit."""
        if self._failure.errno not in NO_ROOM:
            return False
        if _write_rest(self._descriptor, data, 0, self.size) is not None:
            return False
        self.size += len(data)
        return True

    def _write_brief_end(self, end: Event, reason: str) -> bool:
        """Write the end record, shortened, behind the rest or into the room that is reserved for it at the head."""
        end = {**end, "lost": self._gap["calls"], "why": reason} if self._gap else end
        if end.get("error"):
            message = str(end["error"].get("message"))[:MAX_MESSAGE]
            end = {**end, "error": {"type": end["error"].get("type"), "message": message}}
        data = event_frame(self._stamped(end))
        if self._has_room_for(data):
            return True
        if len(data) > frames.SLOT_END - frames.SIGNATURE_SIZE:
            data = event_frame(self._stamped({"type": "end", "status": end.get("status")}))
        with suppress(OSError):
            flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~os.O_APPEND)  # with it Linux appends even by pwrite
            return os.pwrite(self._descriptor, data, frames.SIGNATURE_SIZE) == len(data)
        return False

    def _now(self) -> int:
        """Return µs since 1970 by the clock of this moment: a machine may have slept, or its clock been set."""
        now = time.time_ns() // 1000
        if not self.newest_us <= now < self.look_us:
            now = self.attend(now)
        self.newest_us = now
        return now

    def attend(self, now: int) -> int:
        """Look where the file lies if it is time to; return the time of a frame, no earlier than the one before it.

        It is earlier where the clock was set back.
        """
        if now >= self.look_us or now < self.look_us - 2 * LOOK_US:
            self.look()
        return now if self.newest_us - now > SET_BACK_US else max(now, self.newest_us)

    def _stamped(self, event: Event) -> Event:
        return event if "time" in event else {"type": event["type"], "time": self._now(), **event}


def _reason(error: OSError) -> str:
    """Return what the system says of a failed write, with a hint where few know what it means."""
    told = error.strerror or str(error)
    return f"{told} ({HINTS[error.errno]})" if error.errno in HINTS else told


def _with_time(end: Event, began_us: int, ran: int) -> Event:
    """Return the end of a segment with the time that it ran, where its first and its last time don't tell that.

    The monotonic clock stands still while the machine sleeps, and nobody sets it.
    """
    lasted = time.time_ns() // 1000 - began_us
    return {**end, "ran": ran} if abs(lasted - ran) > SET_BACK_US else end


def _write_rest(descriptor: int, data: bytes, written: int, size: int) -> OSError | None:
    """Write what the system left of `data`; where that fails, cut the file off at `size` again and return why."""
    try:
        while written < len(data):
            more = os.write(descriptor, data[written:])
            if not more:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            written += more
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        return error
    return None


def _write_anew(source: int, log: Path, size: int) -> tuple[int, bool]:
    """Write a log that was removed to where it was, in a store that is made anew if it is gone, too.

    `source` is open for reading. Return a descriptor like it, and True if it holds the writer's lock.

    Raises:
        OSError: it can't be written, or the folder that the store lay in is gone as well.
    """
    root = root_of(log)
    if root is None or not root.parent.is_dir():
        raise FileNotFoundError("the folder that the store lay in is gone, too")
    Folder(root).create()
    make_folder(log.parent, root)
    draft = log.with_name(f".{log.stem}.{new_suffix(4)}.tmp")
    descriptor = to_stay_open(open_file(draft, WRITTEN | os.O_CREAT | os.O_EXCL))
    try:
        has_lock = liveness.hold(descriptor)
        copied = 0
        while copied < size:
            data = os.pread(source, min(COPY_BYTES, size - copied), copied)
            if not data or os.write(descriptor, data) != len(data):
                raise OSError("no room for it")
            copied += len(data)
        _inside.rename(draft, log)
    except BaseException:
        os.close(descriptor)
        _inside.drop(draft)
        raise
    return descriptor, has_lock
