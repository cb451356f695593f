"""Measure the machine while runs are open, on one thread for all runs of the process."""

import sys
import threading
from contextlib import suppress
from typing import Any

from runlore._settings import present_folder
from runlore.hookspecs import SYSTEM_PREFIX, CaptureRequest
from runlore.plugins.manager import plugins
from runlore.recording.run_log import RunLog

FIRST_S = 5.0  # seconds until the first measurement, so that short runs cost nothing
INTERVAL_S = 15.0  # seconds between measurements, counted from the start


class Sampler:
    """Asks plugins for numbers every 15 seconds and records them with every run that it watches."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, RunLog] = {}
        self._reported: set[tuple[str, str]] = set()  # run and plugin that failed
        self._has_thread = False

    def watch(self, log: RunLog) -> None:
        """Record measurements with a run until `forget`."""
        with self._lock:
            self._runs[log.id] = log
            if not self._has_thread:
                with suppress(RuntimeError):  # no thread to be had: nothing is measured
                    threading.Thread(target=self._work, name="runlore-sampler", daemon=True).start()
                    self._has_thread = True

    def forget(self, log: RunLog) -> None:
        """Record nothing more with a run, which ends."""
        with self._lock:
            self._runs.pop(log.id, None)

    def _work(self) -> None:
        idle = threading.Event()  # never set: a wait that no signal cuts short
        idle.wait(FIRST_S)
        self._measure([])
        idle.wait(INTERVAL_S - FIRST_S)
        while True:
            with self._lock:
                runs = list(self._runs.values())
                if not runs:
                    self._has_thread = False
                    return
            self._measure(runs)
            idle.wait(INTERVAL_S)

    def _measure(self, runs: list[RunLog]) -> None:
        def note(plugin: str, error: Exception) -> None:
            for run in runs:
                if (run.id, plugin) not in self._reported:
                    self._reported.add((run.id, plugin))
                    run.missing(f"system metrics from {plugin}", f"{type(error).__name__}: {error}")

        found: dict[str, Any] = {}
        try:
            request = CaptureRequest(present_folder(), tuple(sys.argv), INTERVAL_S)
            for numbers in plugins().results("runlore_capture_metrics", note, request=request):
                found |= {f"{SYSTEM_PREFIX}{name}": value for name, value in numbers.items()}
        except Exception as error:  # a plugin may return anything; the training process must not see it
            note("a plugin", error)
        for run in runs:
            writer = run.own_writer()
            if found and writer is not None and not run.ended:
                writer.row(found)
