"""Tell observers of a run what its log says, on a thread that exists only where somebody observes."""

import os
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from runlore._inside import open_file
from runlore._process import Part, process
from runlore._streams import to_stay_open
from runlore._threads import OwnThread
from runlore._warnings import report
from runlore.errors import FormatError
from runlore.hookspecs import LoggedEvent, LoggedPoints, RunInfo
from runlore.log.events import Event
from runlore.log.points import Block
from runlore.log.replay import Replay
from runlore.plugins.manager import Plugins

INTERVAL_S = 1.0  # seconds between looks at the log
MIN_WAIT_S = 0.1  # that observers have, whatever the end of the run has waited for before
EXIT_S = 4.0  # that the end of the process waits for observers which were slow


class Observers(Part):
    """Remembers that observers have kept a run of this process waiting: later runs don't wait for them.

    The end of the process does, for some seconds: else what they have not been told by then would be lost.
    """

    inherited = True
    rank = 3  # behind the runs
    are_slow = False

    def __init__(self) -> None:
        self.left: weakref.WeakSet[Follower] = weakref.WeakSet()  # behind the end of their runs

    def end(self) -> None:
        """Wait for those that are still being told of runs that have ended."""
        until = time.monotonic() + EXIT_S
        for follower in list(self.left):
            follower.join(until)

    def forget(self) -> None:
        """Leave those of the parent to it."""
        self.left.clear()


class Follower:
    """Tells observers what one writer's log says. The log is the queue: nothing waits in memory.

    Raises:
        OSError: the log can't be opened.
        RuntimeError: no thread can be started.
    """

    def __init__(self, plugins: Plugins, info: RunInfo, log: Path, *, starts: bool) -> None:
        self._plugins = plugins
        self._info = info
        self._starts = starts
        self._log = log
        self._file = _opened(log)  # stays readable when the log is sealed and unlinked
        self._replay = Replay()
        self._wake = threading.Condition()
        self._asked = self._answered = 0
        self._closing = False
        self.failures: dict[str, tuple[int, str]] = {}  # by plugin, before the end: how often, and the first message
        self.end_failures: dict[str, str] = {}  # by plugin: what it raised when it was told of the end
        self._thread = OwnThread(self._follow, "runlore-follower")
        self._thread.start()

    def drain(self, until: float) -> None:
        """Wait until observers know what is in the log now, at most until the monotonic time `until`.

        Once they were slow this does not wait.
        """
        observers = process.part(Observers)
        with self._wake:
            self._asked += 1
            asked = self._asked
            self._wake.notify_all()
            wait_s = 0.0 if observers.are_slow else max(MIN_WAIT_S, until - time.monotonic())
            if not self._wake.wait_for(lambda: self._answered >= asked, wait_s) and not observers.are_slow:
                observers.are_slow = True
                report(f"observers of runs are slow: run {self._info.name!r} and later ones don't wait for them")

    def close(self, until: float | None) -> None:
        """Tell observers the rest, and end the thread; wait for that until a time, or not at all."""
        with self._wake:
            self._closing = True
            self._asked += 1
            self._wake.notify_all()
        if until is not None:
            process.part(Observers).left.add(self)
            self.drain(until)
            if self._answered >= self._asked:
                self.join(until)

    def join(self, until: float) -> None:
        """Wait for the end of the thread, at most until a time."""
        if self._thread is not threading.current_thread():
            self._thread.join(max(0.0, until - time.monotonic()))

    def _follow(self) -> None:
        if self._starts:
            self._tell("runlore_run_started")
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._asked > self._answered, INTERVAL_S)
                asked, closing = self._asked, self._closing
            with suppress(OSError, FormatError):  # the next look, or readers of the run, may succeed
                self._look()
            with self._wake:
                self._answered = asked
                self._wake.notify_all()
            if closing:
                self._file.close()
                return

    def _look(self) -> None:
        if not _has_place(self._file) and self._log.exists():  # it was removed, and written anew
            with suppress(OSError):
                self._file.close()
            self._file = _opened(self._log)
        self._replay.advance(self._file, self._tell_points)
        events = [event for _, event in self._replay.events]
        self._replay.events.clear()
        logged = [_logged(event) for event in events if event["type"] not in ("open", "end")]
        if logged:
            self._tell("runlore_events_logged", events=logged)
        for event in events:
            if event["type"] == "end":
                self._tell("runlore_run_finished", status=event["status"], error=event.get("error"))

    def _tell_points(self, block: Block) -> None:
        self._tell("runlore_points_logged", points=_points_of(block))

    def _tell(self, hook: str, **arguments: Any) -> None:
        failed = self._failed_at_the_end if hook == "runlore_run_finished" else self._failed
        for _ in self._plugins.results(hook, failed, run=self._info, **arguments):
            pass  # observers return nothing

    def _failed(self, plugin: str, error: Exception) -> None:
        self._report_once(plugin, error)
        count, first = self.failures.get(plugin, (0, _text(error)))
        self.failures[plugin] = (count + 1, first)

    def _failed_at_the_end(self, plugin: str, error: Exception) -> None:
        self._report_once(plugin, error)
        self.end_failures[plugin] = _text(error)

    def _report_once(self, plugin: str, error: Exception) -> None:
        if plugin not in self.failures:
            report(f"plugin {plugin!r} failed while it observed run {self._info.name!r}: {_text(error)}")


def _opened(log: Path) -> BinaryIO:
    return open(log, "rb", opener=lambda path, flags: to_stay_open(open_file(path, None, flags)))  # noqa: PTH123


def _has_place(file: BinaryIO) -> bool:
    """Return False for a file that was removed, or whose descriptor somebody has closed."""
    try:
        return os.fstat(file.fileno()).st_nlink > 0
    except OSError:
        return False


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _logged(event: Event) -> LoggedEvent:
    values = {key: value for key, value in event.items() if key not in ("type", "time")}
    return LoggedEvent(event["type"], event["time"] / 1e6, values)


def _points_of(block: Block) -> list[LoggedPoints]:
    times = [time / 1e6 for time in block.time]
    epochs = [None if epoch != epoch else epoch for epoch in block.epoch]  # noqa: PLR0124  # NaN: none was given
    steps: Sequence[int] = list(block.step)
    return [
        LoggedPoints(key, block.split, steps, epochs, times, list(column))
        for key, column in zip(block.keys, block.values, strict=True)
    ]
