"""Measure the machine while runs are open, on one thread for all runs of the process."""

import _thread
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runlore._settings import present_folder
from runlore._startup import script_arguments
from runlore._threads import OwnThread, start_bare
from runlore.hookspecs import SYSTEM_PREFIX, CaptureRequest
from runlore.log.marks import SIGHUP, SIGTERM
from runlore.plugins.manager import plugins
from runlore.recording.run_log import RunLog

if TYPE_CHECKING:
    from signal import SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, pthread_sigmask
else:
    from _signal import SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, pthread_sigmask  # `signal` makes enums of all signals

FIRST_S = 5.0  # seconds until the first measurement, so that short runs cost nothing
INTERVAL_S = 15.0  # seconds between measurements, counted from the start
END_WAIT_S = 0.5  # seconds that the last run waits for the thread, which may be asking a plugin


class _Turn:
    """The measurements from the first run to the last of those that are open at a time."""

    def __init__(self) -> None:
        self.ended = False
        self.going_on = _thread.allocate_lock()  # free once it has ended: its thread waits for that
        self.going_on.acquire()
        self.gone = _thread.allocate_lock()  # free once its bare thread has nothing left to do
        self.gone.acquire()
        self.thread: threading.Thread | None = None  # from the first measurement on

    def end(self) -> None:
        """Let the thread go; called once."""
        self.ended = True
        self.going_on.release()


class Sampler:
    """Asks plugins for numbers every 15 seconds and records them with every run that it watches.

    No thread outlives the last of them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, RunLog] = {}
        self._reported: set[tuple[str, str]] = set()  # run and plugin that failed
        self._turn: _Turn | None = None
        self._last: _Turn | None = None  # also once it has ended

    def watch(self, log: RunLog) -> None:
        """Record measurements with a run until `forget`."""
        with self._lock:
            self._runs[log.id] = log
            if self._turn is None:
                turn = _Turn()
                mask = pthread_sigmask(SIG_BLOCK, {SIGHUP, SIGTERM})  # a thread new to Python leaves no mark
                try:
                    start_bare(self._wait, turn)
                    self._turn = self._last = turn
                except RuntimeError:
                    pass  # no thread to be had: nothing is measured
                finally:
                    pthread_sigmask(SIG_SETMASK, mask)

    def forget(self, log: RunLog) -> None:
        """Record nothing more with a run, which ends."""
        with self._lock:
            self._runs.pop(log.id, None)
            if self._runs or self._turn is None:
                return
            turn, self._turn = self._turn, None
            turn.end()
        if turn.thread is not None and turn.thread is not threading.current_thread():
            with suppress(RuntimeError):  # it has not begun yet, and will end at once
                turn.thread.join(END_WAIT_S)

    def end(self) -> None:
        """Wait until the thread of the last run that has ended is gone; called as the process ends.

        Python would end it in the middle, for which glibc opens a library, and aborts the process if no descriptor is
        free.
        """
        if self._last is not None and self._last.ended:
            self._last.gone.acquire(timeout=END_WAIT_S)

    def _wait(self, turn: _Turn) -> None:
        """Start the thread that measures if runs are open for long.

        This is a bare thread: a fit of a millisecond waits for none of it.
        """
        try:
            if turn.going_on.acquire(timeout=FIRST_S):
                return
            with self._lock:
                if turn.ended:
                    return
                turn.thread = OwnThread(self._work, "runlore-sampler", args=(turn,))
            with suppress(RuntimeError):  # likewise
                turn.thread.start()  # without the lock, as a run that ends must not wait for this
        finally:
            turn.gone.release()

    def _work(self, turn: _Turn) -> None:
        pthread_sigmask(SIG_UNBLOCK, {SIGHUP, SIGTERM})  # what plugins start is ended by it
        self._measure([])
        wait_s = INTERVAL_S - FIRST_S
        while not turn.going_on.acquire(timeout=wait_s):
            with self._lock:
                runs = list(self._runs.values())
            self._measure(runs)
            wait_s = INTERVAL_S

    def _measure(self, runs: list[RunLog]) -> None:
        def note(plugin: str, error: Exception) -> None:
            for run in runs:
                if (run.id, plugin) not in self._reported:
                    self._reported.add((run.id, plugin))
                    run.missing(f"system metrics from {plugin}", f"{type(error).__name__}: {error}")

        found: dict[str, Any] = {}
        try:
            request = CaptureRequest(present_folder(), tuple(script_arguments()), INTERVAL_S)
            for numbers in plugins().results("runlore_capture_metrics", note, request=request):
                found |= {f"{SYSTEM_PREFIX}{name}": value for name, value in numbers.items()}
        except Exception as error:  # a plugin may return anything; the training process must not see it
            note("a plugin", error)
        for run in runs:
            writer = run.own_writer()
            if found and writer is not None and not run.ended:
                writer.row(found)
