"""Work that is done behind the caller's back: media are encoded on a thread of their own."""

import os
import threading
from collections import deque
from collections.abc import Callable

from runlore._threads import OwnThread

MAX_WAITING_BYTES = 64 << 20  # of copies that wait; beyond that the caller does the work itself
IDLE_S = 2.0  # without work, after which the thread ends

Job = Callable[[], None]


class Later:
    """Jobs in their order, done by a thread that ends when there is nothing to do. Threads may share it.

    Jobs must not raise. A forked child begins with none: those of the parent are its own.
    """

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._changed = threading.Condition()
        self._jobs: deque[tuple[Job, int]] = deque()
        self._waiting = 0  # bytes
        self._busy = False
        self._thread: OwnThread | None = None

    @property
    def is_own(self) -> bool:
        """True in the process that made it."""
        return self._owner == os.getpid()

    @property
    def is_done(self) -> bool:
        """True if no job is left."""
        with self._changed:
            return not self._jobs and not self._busy

    def add(self, job: Job, size: int) -> None:
        """Have a job done later; now where too much waits, or no thread can be started. `size` is in bytes."""
        with self._changed:
            if self._waiting + size <= MAX_WAITING_BYTES and self._has_thread():
                self._jobs.append((job, size))
                self._waiting += size
                self._changed.notify_all()
                return
        self.wait()  # what came before is kept before
        job()

    def wait(self) -> None:
        """Return when all jobs are done."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs and not self._busy)

    def _has_thread(self) -> bool:
        if self._thread is not None:
            return True
        thread = OwnThread(self._work, "runlore-media")
        try:
            thread.start()
        except RuntimeError:  # no more threads
            return False
        self._thread = thread
        return True

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs, IDLE_S)
                if not self._jobs:
                    self._thread = None
                    return
                job, size = self._jobs.popleft()
                self._busy = True
            try:
                job()
            finally:
                with self._changed:
                    self._busy = False
                    self._waiting -= size
                    self._changed.notify_all()
