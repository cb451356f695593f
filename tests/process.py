"""A Python process that a test starts, talks to and kills."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from textwrap import dedent


class Process:
    """Runs a script, a text or a file; `line` waits for what it prints."""

    def __init__(
        self, script: str | Path, arguments: tuple[str, ...], environment: dict[str, str], folder: Path
    ) -> None:
        program = [str(script)] if isinstance(script, Path) else ["-c", dedent(script)]
        command = [sys.executable, *program, *arguments]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # open as long as the process
        self._process = subprocess.Popen(
            command, env=environment, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=self._errors
        )
        assert self._process.stdout is not None
        self._printed = self._process.stdout
        self.pid = self._process.pid

    @property
    def err(self) -> str:
        """What it wrote to stderr so far."""
        self._errors.seek(0)
        return self._errors.read()

    def line(self) -> str:
        """The next line that it prints."""
        found = self._printed.readline()
        if not found:
            raise AssertionError(f"it ended without another line: {self.err}")
        return found.rstrip("\n")

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal and wait; the exit status."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """The exit status; what it printed since the last `line` is `out`."""
        self.out = self._printed.read()
        return self._process.wait(timeout=120)

    def succeed(self) -> str:
        """Wait for a good end; what it printed."""
        status = self.wait()
        assert status == 0, self.err
        return self.out

    def end(self) -> None:
        """Make sure that it is gone."""
        self._process.kill()
        self._process.wait()
        self._printed.close()
        self._errors.close()
