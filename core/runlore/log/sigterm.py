"""SIGTERM leaves a mark from C, so that a run reads "interrupted" without a Python handler that would delay the exit.

`faulthandler` writes the stack to a file of this process and passes the signal on to whoever had it before, so exit
time and wait status are those without us. Python's own view of the handlers does not change.
"""

import faulthandler
import os
import threading
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

from runlore._inside import open_binary, unlink
from runlore._process import Part, process
from runlore._sharing import make_folder, open_file
from runlore.log.folder import place_of
from runlore.log.liveness import boot_id, process_start

MAX_STACK_BYTES = 1 << 20  # that are read of a mark
SIGTERM = 15  # on every system that has `faulthandler.register`
ENDING_S = 60.0  # that a handler may take between the signal and the end of the process
SURVIVED_US = 1_000_000  # a frame that is this much younger than the mark means that the process lived on


class Mark(Part):
    """The mark of this process: a file that is empty until SIGTERM comes."""

    rank = 4  # behind the runs, which look at it when they end

    def __init__(self) -> None:
        self._lock = threading.Lock()  # runs may start on several threads
        self._path: Path | None = None
        self._file: FileIO | None = None

    def arm(self, folder: Path, identity: dict[str, Any]) -> None:
        """Have the signal written to a file in `folder`, unless it is already written to another."""
        with self._lock:
            self._arm(folder, identity)

    def _arm(self, folder: Path, identity: dict[str, Any]) -> None:
        if self._file is not None and self._path is not None:
            with suppress(OSError):
                if place_of(self._file.fileno(), self._path) is not None:
                    self.rearm()
                    return
            self.forget()  # it was removed, with the store
        with suppress(OSError):
            make_folder(folder, folder.parent)
            path = folder / mark_name(identity)
            file = FileIO(open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, folder.parent), "ab")
            _register(file)
            self._path, self._file = path, file

    def rearm(self) -> None:
        """Arm again where the signal has its default back, as after a trainer's own handler.

        Where any handler stands it is left alone: it may pass the signal on to ours.
        """
        if self._file is None or not _is_default() or threading.current_thread() is not threading.main_thread():
            return
        import signal  # which makes enums of all signals: a script's only run needs none

        known = signal.getsignal(SIGTERM)
        faulthandler.unregister(SIGTERM)
        signal.signal(SIGTERM, known)
        _register(self._file)

    def told(self) -> bool:
        """Return True if the process got SIGTERM a moment ago."""
        if self._file is not None:
            with suppress(OSError):
                state = os.fstat(self._file.fileno())  # its folder may have been renamed
                return state.st_size > 0 and time.time() - state.st_mtime < ENDING_S
        return False

    def end(self) -> None:
        """Disarm and remove the file: the process ends normally, and its runs say how they ended."""
        if self._file is not None and self._path is not None:
            with suppress(OSError):
                path = place_of(self._file.fileno(), self._path) or self._path
                self.forget()
                unlink(path, path.parent.parent)

    def forget(self) -> None:
        """Disarm, in a forked child, too: the file is the parent's."""
        if self._file is not None:
            faulthandler.unregister(SIGTERM)
            self._file.close()
        self._path = self._file = None


def leave_mark_on_sigterm(folder: Path, identity: dict[str, Any]) -> None:
    """Arm the mark of this process; the folder of the first call gets it. Never raises for the disk."""
    if hasattr(faulthandler, "register"):
        process.part(Mark).arm(folder, identity)


def rearm() -> None:
    """Arm the mark again where somebody has set the signal's default back; see `Mark.rearm`."""
    process.part(Mark).rearm()


def was_told_to_end() -> bool:
    """Return True if this process got SIGTERM a moment ago."""
    return process.part(Mark).told()


def mark_name(identity: dict[str, Any]) -> str:
    """Return the name of a process's mark, from what the opening event of a log says of the process."""
    return f"{str(identity.get('boot'))[:8]}-{identity.get('pid')}-{identity.get('pid_start')}"


def is_of_the_gone(name: str) -> bool:
    """Return True for the name of a mark whose process ran since this machine was started, and does not any more."""
    boot, pid, start = name.split("-", 2) if name.count("-") == 2 else ("", "", "")
    return boot == boot_id()[:8] and pid.isdecimal() and str(process_start(int(pid))) != start


def read_mark(folder: Path, identity: dict[str, Any]) -> tuple[int, str] | None:
    """Return when (µs since 1970) a process got SIGTERM, and its stack then; None if it didn't."""
    path = folder / mark_name(identity)
    try:
        with open_binary(path, folder.parent) as file:
            stack = file.read(MAX_STACK_BYTES).decode(errors="replace")
            time_us = os.fstat(file.fileno()).st_mtime_ns // 1000
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return None
    return (time_us, stack.strip()) if stack else None


def _register(file: FileIO) -> None:
    faulthandler.register(SIGTERM, file=file, all_threads=False, chain=True)


def _is_default() -> bool:
    """Return True if the kernel says that no handler for SIGTERM stands."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(errors="replace").splitlines():
            if line.startswith("SigCgt:"):
                return not int(line.split()[1], 16) >> (SIGTERM - 1) & 1
    return False
