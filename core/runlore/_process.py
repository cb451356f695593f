"""The one object that holds the mutable state of a process, and the order in which that ends and is forgotten.

Modules keep no mutable state of their own. Each defines a `Part`; `process.part(ThatPart)` makes it at first need.

At exit, parts end in the order of their `rank`: 1 the fits that never reported their end, 2 the open runs, 3 the runs
that were opened again for additions, captures and observers that are late, 4 the mark that signals leave. Functions
that users register with `atexit` behind the import of runlore's writing half run before, and may still log.

In a forked child every part lets go of what it shares with the parent (`forget`: descriptors are closed, locks made
anew, as threads stay with the parent). Then it is dropped, unless it says that a child inherits it.
"""

import atexit
import os
import sys
import threading
from typing import Any, ClassVar, TypeVar

from runlore._startup import restore_interruption


class Part:
    """The state that one module keeps for the process; made without arguments."""

    rank: ClassVar[int] = 0  # its place in the order of ending; 0: it has nothing to end
    inherited: ClassVar[bool] = False  # True: a forked child goes on with it

    def end(self) -> None:
        """Finish at exit; the process is ending normally."""

    def forget(self) -> None:
        """Let go of what the parent owns; called in a forked child, on its only thread."""


T = TypeVar("T", bound=Part)


class Process:
    """Holds the parts of this process. Any thread may ask for one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._parts: dict[type[Part], Any] = {}
        self._ends_as_child = False
        self._pid = os.getpid()

    def part(self, kind: type[T]) -> T:
        """Return the process's part of a kind; the first call makes it."""
        found: T | None = self._parts.get(kind)
        return self._make(kind) if found is None else found

    def end(self) -> None:
        """End the parts in the order of their rank; called at exit, and where a multiprocessing child returns."""
        if self._pid != os.getpid():
            return  # in a child that C code has forked, without the hook that forgets
        for part in sorted(self._parts.values(), key=lambda part: part.rank):
            if part.rank:
                part.end()
        restore_interruption()

    def forget(self) -> None:
        """Keep only what is inherited; called in a forked child before any other code of ours."""
        parts = list(self._parts.values())
        self._parts = {kind: part for kind, part in self._parts.items() if kind.inherited}
        self._lock = threading.RLock()  # another thread of the parent may have held it
        self._ends_as_child = False
        self._pid = os.getpid()
        for part in parts:
            part.forget()

    def _make(self, kind: type[T]) -> T:
        with self._lock:
            found: T | None = self._parts.get(kind)
            if found is None:
                found = self._parts[kind] = kind()
                if kind.rank:
                    self._end_with_multiprocessing_child()
            return found

    def _end_with_multiprocessing_child(self) -> None:
        """End the parts of a child of multiprocessing when its function returns: it ends without `atexit`."""
        util = sys.modules.get("multiprocessing.util")
        if self._ends_as_child or util is None or sys.modules["multiprocessing.process"].parent_process() is None:
            return
        self._ends_as_child = True
        util.Finalize(None, self.end, exitpriority=0)


process = Process()
atexit.register(process.end)
os.register_at_fork(after_in_child=process.forget)
