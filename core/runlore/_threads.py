"""Threads of our own, and blocks of a thread to which the threads belong, too, that it starts there."""

import _thread
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import lru_cache
from typing import Any

from runlore._process import Part, process

MAX_DEPTH = 8  # of pools within pools
BEGIN_S = 5.0  # in which a thread has to begin


class _Begun(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(BEGIN_S if timeout is None else timeout)


class OwnThread(threading.Thread):
    """A daemon thread; for one that has no memory to begin nobody waits for ever, as for other threads of Python."""

    _started: threading.Event

    def __init__(self, target: Callable[..., object], name: str, args: tuple[Any, ...] = ()) -> None:
        super().__init__(target=target, name=name, args=args, daemon=True)
        self._started = _Begun()

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: no thread is to be had.
        """
        super().start()
        if not self._started.is_set():
            raise RuntimeError("no memory for another thread")


class _Bare(Part):
    """The bare threads of ours that are there."""

    def __init__(self) -> None:
        self.going: list[int] = []

    def work(self, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """Make a call, and let the thread be gone; runs on that thread."""
        try:
            call(*arguments)
        finally:
            self.going.pop()


def start_bare(call: Callable[..., object], *arguments: Any) -> None:
    """Make a call on a thread of which `threading` does not know; so its start waits for nothing.

    Raises:
        RuntimeError: no thread is to be had.
    """
    bare = process.part(_Bare)
    bare.going.append(1)
    try:
        _thread.start_new_thread(bare.work, (call, arguments))
    except RuntimeError:
        bare.going.pop()
        raise


def are_all_ours() -> bool:
    """Return True if there are threads beside this one, and all of them are ours."""
    ours = sum(isinstance(thread, OwnThread) for thread in threading.enumerate())
    ours += len(process.part(_Bare).going)
    if not ours:
        return False
    try:
        every = len(os.listdir("/proc/self/task"))  # those of C code, too
    except OSError:  # another system
        every = threading.active_count()
    return every - ours <= 1


class Apart:
    """A call on a thread of its own, in the context of the one that makes it, so that it can be left behind."""

    def __init__(self, call: Callable[[], Any], name: str) -> None:
        self._call = call
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = OwnThread(copy_context().run, name, args=(self._work,))

    def returns_within(self, seconds: float) -> bool:
        """Make the call; return False if it goes on after so many seconds."""
        try:
            self._thread.start()
        except RuntimeError:  # no more threads
            self._work()
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._result

    def _work(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:  # foreign code: it is raised where the result is asked for
            self._error = error


class _Block:
    """A block of a thread, and the threads that it has made there.

    Whoever makes a thread asks itself for `daemon`, unless it says whether the new one is a daemon: so only this one
    thread is asked to tell, and `threading` stays as it is for all others. Of those that a new thread makes those of
    pools are known, which name their parent (multiprocessing's and joblib's).
    """

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self._made: list[weakref.ref[threading.Thread]] = []
        self._thread = _thread_of(owner)
        self._kind = type(self._thread)
        self._noting: Any = None
        try:
            noting = _noting(self._kind)  # type: ignore[arg-type]  # a class is hashable
            self._thread.__class__ = noting
            self._noting = noting
        except (AttributeError, TypeError):  # it is no thread of Python's, or of somebody's own class
            self._noting = None

    def close(self) -> None:
        """Let the thread be as before."""
        if self._noting is not None and type(self._thread) is self._noting:
            self._thread.__class__ = self._kind

    def has(self, thread: threading.Thread | None) -> bool:
        """Return True for a thread that was made in the block, or by such a one as a part of a pool."""
        for _ in range(MAX_DEPTH):
            if thread is None or any(made() is thread for made in self._made):
                break
            parent = vars(thread).get("_parent")
            thread = parent if isinstance(parent, threading.Thread) else None
        return thread is not None

    def note(self, thread: threading.Thread) -> None:
        """Take a thread for one that was made in the block."""
        self._made.append(weakref.ref(thread))


class _Watched(Part):
    """The blocks of all threads."""

    inherited = True

    def __init__(self) -> None:
        self._blocks: tuple[_Block, ...] = ()
        self._lock = threading.RLock()

    def enter(self, owner: int) -> _Block | None:
        """Begin a block; None within another one of the thread."""
        if any(block.owner == owner for block in self._blocks):
            return None
        block = _Block(owner)
        with self._lock:
            self._blocks = (*self._blocks, block)
        return block

    def leave(self, block: _Block | None) -> None:
        """End a block."""
        if block is not None:
            block.close()
            with self._lock:
                self._blocks = tuple(other for other in self._blocks if other is not block)

    def note(self, thread: threading.Thread) -> None:
        """Note a thread that is made by this one, if that is in a block."""
        for block in self._blocks:
            if block.owner == threading.get_ident():
                block.note(thread)

    def owner_of(self, ident: int) -> int:
        """Return the thread in whose block a thread was made; itself for any other."""
        blocks = self._blocks
        if not blocks or any(block.owner == ident for block in blocks):
            return ident
        thread = _thread_of(ident)
        return next((block.owner for block in blocks if block.has(thread)), ident)

    def forget(self) -> None:
        """Let go of the parent's other threads."""
        self._lock = threading.RLock()
        for block in self._blocks:
            if block.owner != threading.get_ident():
                block.close()
        self._blocks = tuple(block for block in self._blocks if block.owner == threading.get_ident())


def _thread_of(ident: int) -> threading.Thread | None:
    """Return a thread by its number; unlike `threading.current_thread` this makes none for one that is not Python's."""
    return next((thread for thread in threading.enumerate() if thread.ident == ident), None)


@lru_cache(maxsize=16)  # to make a class takes longer than the rest of a block
def _noting(kind: type) -> type:
    """Return a class for a thread that notes the threads that it makes, and is like its own in all else."""

    def daemon(thread: Any) -> Any:
        frame = sys._getframe(1)
        if frame.f_code is threading.Thread.__init__.__code__:
            process.part(_Watched).note(frame.f_locals["self"])
        return kind.daemon.fget(thread)  # type: ignore[attr-defined]

    told = property(daemon, kind.daemon.fset)  # type: ignore[attr-defined]
    own = {"daemon": told, "__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), own)


def acting_for() -> int:
    """Return the number of this thread, or of the one in whose block it was made."""
    return process.part(_Watched).owner_of(threading.get_ident())


@contextmanager
def watched() -> Iterator[int]:
    """Note which threads this one makes in the block, and return its number; see `acting_for`."""
    watch, owner = process.part(_Watched), acting_for()
    block = watch.enter(owner)
    try:
        yield owner
    finally:
        watch.leave(block)
