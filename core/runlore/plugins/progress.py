"""The built-in observer that prints a progress line on stderr at an interval, where a setting asks for it."""

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from runlore._settings import seconds
from runlore._text import duration_text, number_text, one_line
from runlore._threads import OwnThread
from runlore.hookspecs import SYSTEM_PREFIX, LoggedPoints, RunInfo, hookimpl

SHOWN_METRICS = 4  # in a line, those with the newest values


class ProgressLine:
    """Prints how long a run has lasted, its step and its latest metrics, every `interval` seconds.

    A run that is shorter than that prints nothing. `write` takes the lines instead of stderr; `clock` returns seconds
    since 1970.
    """

    def __init__(
        self, interval: float, write: Callable[[str], Any] | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._interval = interval
        self._write = write
        self._clock = clock
        self._due: dict[str, float] = {}
        self._latest: dict[str, dict[str, float]] = {}
        self._steps: dict[str, int] = {}
        self._printed: set[str] = set()
        self._ends: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    @hookimpl
    def runlore_run_started(self, run: RunInfo) -> None:
        """Start a thread that prints lines also while nothing is logged. Children print none of their own."""
        if run.parent is None:
            self._ends[run.id] = threading.Event()
            OwnThread(self._watch, "runlore-progress", args=(run,)).start()

    def _watch(self, run: RunInfo) -> None:
        end = self._ends[run.id]
        while not end.wait(self._interval):
            self.print_if_due(run)

    @hookimpl
    def runlore_points_logged(self, run: RunInfo, points: Sequence[LoggedPoints]) -> None:
        """Remember the latest values, and print a line if it is due."""
        with self._lock:
            latest = self._latest.setdefault(run.id, {})
            for item in points:
                latest.pop(item.key, None)  # so that the newest key comes last
                latest[item.key] = item.values[-1]
                if not item.key.startswith(SYSTEM_PREFIX):
                    self._steps[run.id] = max(self._steps.get(run.id, 0), item.steps[-1])
        self.print_if_due(run)

    def print_if_due(self, run: RunInfo) -> None:
        """Print a line if the interval since the last one is over. Any thread may call it."""
        now = self._clock()
        with self._lock:
            if now < self._due.setdefault(run.id, run.started + self._interval * 0.99):
                return
            self._due[run.id] = now + self._interval * 0.99
            self._printed.add(run.id)
            latest = self._latest.get(run.id, {})
            shown = [(key, value) for key, value in latest.items() if not key.startswith(SYSTEM_PREFIX)][
                -SHOWN_METRICS:
            ]
            step = f" · step {self._steps[run.id]}" if run.id in self._steps else ""
        values = "".join(f" · {key} {number_text(value)}" for key, value in shown)
        self._print(f"{run.name} · {duration_text(now - run.started)}{step}{values}")

    @hookimpl
    def runlore_run_finished(self, run: RunInfo, status: str, error: Mapping[str, Any] | None) -> None:
        """Print how the run ended, if it has printed any line."""
        if run.id in self._printed:
            why = f": {error.get('type')}" if error else ""
            self._print(f"{run.name} · {status} after {duration_text(self._clock() - run.started)}{why}")
        end = self._ends.pop(run.id, None)
        if end is not None:
            end.set()
        for known in (self._due, self._latest, self._steps):
            known.pop(run.id, None)
        self._printed.discard(run.id)

    def _print(self, text: str) -> None:
        with suppress(OSError, ValueError, AttributeError):  # no stderr: nobody would read it
            (self._write or sys.stderr.write)(f"runlore: {one_line(text)}\n")


def plugin() -> ProgressLine | None:
    """Return the observer; None where the setting `progress` names no interval."""
    interval = seconds("progress")
    return ProgressLine(interval) if interval else None
