"""SIGTERM leaves a mark from C, so that a run reads "interrupted" without a Python handler that would delay the exit.

`faulthandler` writes the stack to a file of this process and passes the signal on to whoever had it before, so exit
time and wait status are those without us. Python's own view of the handlers does not change.
"""

import faulthandler
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from runlore._process import Part, process

ENDING_S = 60.0  # that a handler may take between the signal and the end of the process
SURVIVED_US = 1_000_000  # a frame that is this much younger than the mark means that the process lived on


class Mark(Part):
    """The mark of this process: a file that is empty until SIGTERM comes."""

    rank = 4  # behind the runs, which look at it when they end

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file: BinaryIO | None = None

    def arm(self, folder: Path, identity: dict[str, Any]) -> None:
        """Have the signal written to a file in `folder`, unless it is already written to another."""
        if self._file is not None:
            self.rearm()
            return
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            path = folder / mark_name(identity)
            file = path.open("ab", buffering=0)
            _register(file)
            self._path, self._file = path, file

    def rearm(self) -> None:
        """Arm again where the signal has its default back, as after a trainer's own handler.

        Where any handler stands it is left alone: it may pass the signal on to ours.
        """
        if self._file is None or not _is_default() or threading.current_thread() is not threading.main_thread():
            return
        known = signal.getsignal(signal.SIGTERM)
        faulthandler.unregister(signal.SIGTERM)
        signal.signal(signal.SIGTERM, known)
        _register(self._file)

    def told(self) -> bool:
        """Return True if the process got SIGTERM a moment ago."""
        if self._path is not None:
            with suppress(OSError):
                state = self._path.stat()
                return state.st_size > 0 and time.time() - state.st_mtime < ENDING_S
        return False

    def end(self) -> None:
        """Disarm and remove the file: the process ends normally, and its runs say how they ended."""
        path = self._path
        if path is not None:
            self.forget()
            with suppress(OSError):
                path.unlink()

    def forget(self) -> None:
        """Disarm, in a forked child, too: the file is the parent's."""
        if self._file is not None:
            faulthandler.unregister(signal.SIGTERM)
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


def read_mark(folder: Path, identity: dict[str, Any]) -> tuple[int, str] | None:
    """Return when (µs since 1970) a process got SIGTERM, and its stack then; None if it didn't."""
    path = folder / mark_name(identity)
    try:
        stack = path.read_text(errors="replace")
        time_us = path.stat().st_mtime_ns // 1000
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return None
    return (time_us, stack.strip()) if stack else None


def _register(file: BinaryIO) -> None:
    faulthandler.register(signal.SIGTERM, file=file, all_threads=False, chain=True)


def _is_default() -> bool:
    """Return True if the kernel says that no handler for SIGTERM stands."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return not int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1
    return False
