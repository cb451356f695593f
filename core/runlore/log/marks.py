"""Signals that end a process leave a mark from C: no handler in Python delays the exit, and a run reads interrupted.

`faulthandler` writes the stack to a file of this process and passes the signal on to whoever had it before, so exit
time and wait status are those without us. Python's own view of the handlers does not change. A mark of SIGHUP begins
behind a zero byte.
"""

import faulthandler
import os
import threading
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runlore._inside import open_binary, unlink
from runlore._process import Part, process
from runlore._sharing import make_folder, open_file
from runlore._streams import close_own, file_identity, is_still, to_stay_open
from runlore.log.folder import place_of
from runlore.log.liveness import boot_id, process_start

if TYPE_CHECKING:
    from signal import getsignal, signal
else:
    from _signal import getsignal, signal  # `signal` makes enums of all signals: a script's only run needs none

MAX_STACK_BYTES = 1 << 20  # that are read of a mark
SIGHUP, SIGTERM = 1, 15  # on every system that has `faulthandler.register`
MEANINGS = {  # of the signals that leave a mark, by their names
    "SIGHUP": "the terminal or the connection that the process belonged to was closed",
    "SIGTERM": "the process was told to terminate",
}
ENDING_S = 60.0  # that a handler may take between the signal and the end of the process
MAX_STATUS_BYTES = 4096  # of what the kernel says of this process
IGNORED, CAUGHT = 30, 31  # places of sets of signals in that
DEFAULT = 0  # what `getsignal` returns where Python has no handler
MAX_WORDS, BASE = 64, 1  # of what the system tells of a handler, and the place of its library in what the linker tells
SURVIVED_US = 1_000_000  # a frame that is this much younger than the mark means that the process lived on


class Mark(Part):
    """The mark of this process: a file that is empty until one of the signals comes."""

    rank = 4  # behind the runs, which look at it when they end

    def __init__(self) -> None:
        self._lock = threading.Lock()  # runs may start on several threads
        self._path: Path | None = None
        self._files: dict[int, FileIO] = {}  # by signal; both are the same file
        self._file: list[int] = []  # its identity

    def arm(self, folder: Path, identity: dict[str, Any]) -> None:
        """Have the signals written to a file in `folder`, unless they are already written to another."""
        with self._lock:
            self._arm(folder, identity)

    def _arm(self, folder: Path, identity: dict[str, Any]) -> None:
        if self._files and self._path is not None:
            with suppress(OSError):
                if place_of(self._files[SIGTERM].fileno(), self._path) is not None:
                    self.rearm()
                    return
            self.forget()  # it was removed, with the store
        if _is_dumped(SIGTERM):
            return
        with suppress(OSError):
            make_folder(folder, folder.parent)
            path = folder / mark_name(identity)
            appending = self._add(SIGTERM, open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, folder.parent))
            self._path, self._file = path, file_identity(appending)
            # Below nohup nothing ends because of SIGHUP.
            if SIGHUP not in _signals(IGNORED) and not _is_dumped(SIGHUP):
                os.lseek(self._add(SIGHUP, open_file(path, os.O_WRONLY, folder.parent)), 1, os.SEEK_SET)

    def _add(self, number: int, descriptor: int) -> int:
        kept = to_stay_open(descriptor)
        self._files[number] = FileIO(kept, "wb", closefd=False)
        _register(number, self._files[number])
        return kept

    def rearm(self) -> None:
        """Arm again where a signal has its default back, as after a trainer's own handler.

        Where any handler stands it is left alone: it may pass the signal on to ours.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        handled = _signals(CAUGHT, IGNORED)
        for number, file in self._files.items():
            if number in handled:
                continue
            known = getsignal(number)
            faulthandler.unregister(number)
            signal(number, known)
            _register(number, file)

    def told(self) -> bool:
        """Return True if the process got one of the signals a moment ago."""
        for file in self._files.values():
            with suppress(OSError):
                state = os.fstat(file.fileno())  # its folder may have been renamed
                is_recent = state.st_size > 0 and time.time() - state.st_mtime < ENDING_S
                return is_recent and is_still(file.fileno(), self._file)
        return False

    def end(self) -> None:
        """Disarm and remove the file: the process ends normally, and its runs say how they ended."""
        if self._files and self._path is not None:
            with suppress(OSError):
                path = place_of(self._files[SIGTERM].fileno(), self._path) or self._path
                self.forget()
                unlink(path, path.parent.parent)

    def forget(self) -> None:
        """Disarm, in a forked child, too: the file is the parent's."""
        while self._files:
            number, file = self._files.popitem()
            faulthandler.unregister(number)
            close_own(file.fileno(), self._file)
        self._path = None


def leave_mark_on_signals(folder: Path, identity: dict[str, Any]) -> None:
    """Arm the mark of this process; the folder of the first call gets it. Never raises for the disk."""
    if hasattr(faulthandler, "register"):
        process.part(Mark).arm(folder, identity)


def rearm() -> None:
    """Arm the mark again where somebody has set the signal's default back; see `Mark.rearm`."""
    process.part(Mark).rearm()


def was_told_to_end() -> bool:
    """Return True if this process got one of the signals a moment ago."""
    return process.part(Mark).told()


def mark_name(identity: dict[str, Any]) -> str:
    """Return the name of a process's mark, from what the opening event of a log says of the process."""
    return f"{str(identity.get('boot'))[:8]}-{identity.get('pid')}-{identity.get('pid_start')}"


def is_of_the_gone(name: str) -> bool:
    """Return True for the name of a mark whose process ran since this machine was started, and does not any more."""
    boot, pid, start = name.split("-", 2) if name.count("-") == 2 else ("", "", "")
    return boot == boot_id()[:8] and pid.isdecimal() and str(process_start(int(pid))) != start


def end_by_mark(folder: Path, identity: dict[str, Any], newest_us: int) -> dict[str, Any] | None:
    """Return the end record of a process that a signal has ended, by its mark; None where there is none.

    `newest_us` is the time of the newest frame of its log: where that is much younger, the process has lived on.
    """
    mark = _read_mark(folder, identity)
    if mark is None or newest_us > mark[0] + SURVIVED_US:
        return None
    time_us, stack = mark
    kind = "SIGHUP" if stack.startswith("\0") else "SIGTERM"
    error = {"type": kind, "message": MEANINGS[kind], "traceback": stack.strip("\0").strip()}
    return {"type": "end", "time": time_us, "status": "interrupted", "error": error}


def _read_mark(folder: Path, identity: dict[str, Any]) -> tuple[int, str] | None:
    """Return when (µs since 1970) a process got a signal, and its stack then; None if it didn't."""
    path = folder / mark_name(identity)
    try:
        with open_binary(path, folder.parent) as file:
            stack = file.read(MAX_STACK_BYTES).decode(errors="replace")
            time_us = os.fstat(file.fileno()).st_mtime_ns // 1000
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return None
    return (time_us, stack) if stack.strip() else None


def _register(number: int, file: FileIO) -> None:
    faulthandler.register(number, file=file, all_threads=False, chain=True)


def _is_dumped(number: int) -> bool:
    """Return True if somebody else has asked `faulthandler` for the stack at a signal: it writes to one file only.

    Python does not tell. But where it knows of no handler, and there is one in its own code, it is that: the system
    says where it lies (sigaction(2)), and in what (dladdr(3)).
    """
    if number not in _signals(CAUGHT) or getsignal(number) != DEFAULT:
        return False
    import ctypes  # which few need

    system, handler, within, own = ctypes.CDLL(None), *((ctypes.c_void_p * MAX_WORDS)() for _ in range(3))
    system.sigaction(number, None, handler)
    system.dladdr(ctypes.c_void_p(handler[0]), within)
    system.dladdr(ctypes.pythonapi.Py_Initialize, own)
    return bool(within[BASE] == own[BASE])


def _signals(*fields: int) -> frozenset[int]:
    """Return those of our signals that are `CAUGHT` or `IGNORED` by this process.

    So says the kernel (proc_pid_stat(5)); where it does not, all of them are taken for that.
    """
    ours = frozenset({SIGHUP, SIGTERM})
    try:  # of the thread, as of the process it would be summed up over all threads: eight times as long
        descriptor = os.open("/proc/thread-self/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ours
    try:
        found = os.read(descriptor, MAX_STATUS_BYTES).rpartition(b")")[2].split()  # behind the name, which may be odd
    finally:
        os.close(descriptor)
    return frozenset(number for number in ours if any(int(found[field]) >> (number - 1) & 1 for field in fields))
