"""SIGTERM leaves a mark from C, so that a run reads "interrupted" without a Python handler that would delay the exit.

`faulthandler` writes the stack to a file of this process and passes the signal on to whoever had it before, so exit
time and wait status are those without us. Python's own view of the handlers does not change.
"""

import faulthandler
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

RECENT = 60.0  # seconds that a handler may take between the signal and the end that it brings about
SURVIVED_US = 1_000_000  # frames this much later than the mark mean that the process lived on

_mark: dict[int, tuple[Path, BinaryIO]] = {}  # by pid: a process has one set of signal handlers


def leave_mark_on_sigterm(folder: Path, identity: dict[str, Any]) -> None:
    """Arm the mark for this process; the first store that asks gets it. Never raises for the disk."""
    if not hasattr(faulthandler, "register"):
        return
    if os.getpid() in _mark:
        return rearm()
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / mark_name(identity)
        file = path.open("ab", buffering=0)
        faulthandler.register(signal.SIGTERM, file=file, all_threads=False, chain=True)
        _mark[os.getpid()] = (path, file)


def rearm() -> None:
    """Arm the mark again if somebody has set the signal's default back since, as a trainer's own handler ends.

    Where any handler stands now, it is left alone: it may pass the signal on to ours.
    """
    file = _mark.get(os.getpid(), (None, None))[1]
    if file is None or not _is_default() or threading.current_thread() is not threading.main_thread():
        return
    known = signal.getsignal(signal.SIGTERM)
    faulthandler.unregister(signal.SIGTERM)
    signal.signal(signal.SIGTERM, known)
    faulthandler.register(signal.SIGTERM, file=file, all_threads=False, chain=True)


def _is_default() -> bool:
    """Whether no handler for SIGTERM stands, by what the kernel says."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return not int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1
    return False


def forget_mark() -> None:
    """Disarm at a normal exit, and remove the file if nothing was written."""
    path, file = _mark.pop(os.getpid(), (None, None))
    if path is None or file is None:
        return
    faulthandler.unregister(signal.SIGTERM)
    file.close()
    with suppress(OSError):
        path.unlink()


def was_told_to_end() -> bool:
    """Whether this process got SIGTERM a moment ago."""
    path, _ = _mark.get(os.getpid(), (None, None))
    if path is None:
        return False
    with suppress(OSError):
        state = path.stat()
        return state.st_size > 0 and time.time() - state.st_mtime < RECENT
    return False


def mark_name(identity: dict[str, Any]) -> str:
    """The name of a process's mark, from what a log's opening event says of the process."""
    return f"{str(identity.get('boot'))[:8]}-{identity.get('pid')}-{identity.get('pid_start')}"


def read_mark(folder: Path, identity: dict[str, Any]) -> tuple[int, str] | None:
    """When (µs since 1970) the process got SIGTERM, and its stack then; None if it didn't."""
    path = folder / mark_name(identity)
    try:
        stack = path.read_text(errors="replace")
        time_us = path.stat().st_mtime_ns // 1000
    except OSError:
        return None
    return (time_us, stack.strip()) if stack else None


def _disarm_child() -> None:
    if _mark:
        faulthandler.unregister(signal.SIGTERM)
        _mark.clear()


os.register_at_fork(after_in_child=_disarm_child)
