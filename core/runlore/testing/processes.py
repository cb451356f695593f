"""A Python process that a test starts, talks to and kills."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Timer

from runlore.testing.warm import Forked, WarmParent

TIMEOUT_S = 600.0  # for a process to end, once it is waited for, however busy the machine is


class Process:
    """Runs Python with some arguments, cold or as a fork of a warm parent; `line` waits for what it prints."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, parent: WarmParent | None = None
    ) -> None:
        command = [sys.executable, *arguments]
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  # open as long as the process
        reading, writing = os.pipe()
        self._printed = open(reading, encoding="utf-8")  # noqa: SIM115, PTH123  # likewise
        try:
            self._process: subprocess.Popen[bytes] | Forked
            if parent is None:
                self._process = subprocess.Popen(
                    command, env=environment, cwd=folder, stdout=writing, stderr=self._errors
                )
            else:
                self._process = parent.fork(command, environment, folder, (0, writing, self._errors.fileno()))
        finally:
            os.close(writing)
        self.pid = self._process.pid
        self.out = ""

    @property
    def err(self) -> str:
        """Everything that it has written to stderr."""
        self._errors.seek(0)
        return self._errors.read()

    def line(self) -> str:
        """Return the next line that it prints."""
        found = self._printed.readline()
        if not found:
            raise AssertionError(f"it ended without another line: {self.err}")
        return found.rstrip("\n")

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal, wait, and return the exit status."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Return the exit status, negative for a signal; `out` is what it has printed since the last `line`."""
        alarm = Timer(TIMEOUT_S, self._process.kill)
        alarm.start()
        try:
            self.out = self._printed.read()
            return self._process.wait(timeout=TIMEOUT_S)
        finally:
            alarm.cancel()
            alarm.join()

    def succeed(self) -> str:
        """Wait until it ends well, and return what it has printed since the last `line`."""
        status = self.wait()
        assert status == 0, self.err
        return self.out

    def end(self) -> None:
        """Kill it if it still runs, and close its streams."""
        self._process.kill()
        self._process.wait()
        self._printed.close()
        self._errors.close()
