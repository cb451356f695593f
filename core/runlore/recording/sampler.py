"""Measuring the machine while runs last, on one thread for all runs of the process."""

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runlore.recording.run_log import RunLog

if TYPE_CHECKING:
    from runlore.plugins.manager import Plugins


BEGINNING = 5.0  # seconds after which measuring begins, so that short runs cost nothing
INTERVAL = 15.0  # seconds between measurements, counted from the start
PREFIX = "system/"


class Sampler:
    """Asks plugins for numbers every 15 seconds and records them with every run that it watches."""

    def __init__(self, plugins: "Callable[[], Plugins]") -> None:
        self._plugins = plugins
        self._lock = threading.Lock()
        self._runs: dict[str, RunLog] = {}
        self._told: set[tuple[str, str]] = set()  # run and plugin that failed
        self._alive = False

    def watch(self, log: RunLog) -> None:
        """Record measurements with a run until `forget`."""
        with self._lock:
            self._runs[log.id] = log
            if not self._alive:
                with suppress(RuntimeError):  # no thread to be had: nothing is measured
                    threading.Thread(target=self._work, name="runlore-sampler", daemon=True).start()
                    self._alive = True

    def forget(self, log: RunLog) -> None:
        """The run ends."""
        with self._lock:
            self._runs.pop(log.id, None)

    def _work(self) -> None:
        idle = threading.Event()  # never set: a wait that no signal cuts short
        idle.wait(BEGINNING)
        self._measure([])
        idle.wait(INTERVAL - BEGINNING)
        while True:
            with self._lock:
                runs = list(self._runs.values())
                if not runs:
                    self._alive = False
                    return
            self._measure(runs)
            idle.wait(INTERVAL)

    def _measure(self, runs: list[RunLog]) -> None:
        def note(plugin: str, error: Exception) -> None:
            for run in runs:
                if (run.id, plugin) not in self._told:
                    self._told.add((run.id, plugin))
                    run.missing(f"system metrics from {plugin}", f"{type(error).__name__}: {error}")

        from runlore.hookspecs import CaptureRequest

        found: dict[str, Any] = {}
        try:
            request = CaptureRequest(Path.cwd(), tuple(sys.argv), INTERVAL)
            for numbers in self._plugins().results("runlore_capture_metrics", note, request=request):
                found |= {f"{PREFIX}{name}": value for name, value in numbers.items()}
        except Exception as error:  # a plugin may return anything; the training process must not see it
            note("a plugin", error)
        for run in runs:
            writer = run.usable()
            if found and writer is not None and not run.ended:
                writer.row(found)


def is_system(key: str) -> bool:
    """Whether a metric is one of the machine's."""
    return key.startswith(PREFIX)
