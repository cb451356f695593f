"""Python processes that start warm: forked from a process that has imported a framework already.

A cold import of a framework takes seconds, a fork milliseconds. Only Linux has what this needs; elsewhere, and where a
framework leaves threads running, every process starts cold.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MAX_PARENTS = 2  # at the same time: each holds a framework in memory
WAIT_S = 600.0  # for a parent's imports, however busy the machine is
CAN_FORK = sys.platform == "linux" and hasattr(os, "pidfd_open")
# Variables in which a child may differ from its parent, as no framework reads them when it is imported.
FREE_VARIABLES = (
    "RUNLORE_", "PYTEST_", "PYTHONPATH", "XDG_CACHE_HOME", "XDG_STATE_HOME",
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_",
)  # fmt: skip


class Forked:
    """A process that a warm parent forked; it has of `subprocess.Popen` what tests use."""

    def __init__(self, command: Sequence[str], connection: socket.socket) -> None:
        self._command = command
        self._connection = connection
        self._lines = connection.makefile("r")
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, negative for a signal, as soon as it has ended.

        Raises:
            subprocess.TimeoutExpired: it runs on after `timeout` seconds.
        """
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                told = self._lines.readline()
            except TimeoutError:
                raise subprocess.TimeoutExpired(self._command, timeout or 0) from None
            if not told:
                raise ChildProcessError(f"the parent of process {self.pid} has gone")
            self.returncode = int(told)
            self._lines.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless its end is known."""
        if self.returncode is None:
            os.kill(self.pid, number)  # its parent keeps it as a zombie until `wait` has returned

    def kill(self) -> None:
        """Send SIGKILL, unless its end is known."""
        self.send_signal(signal.SIGKILL)


class WarmParent:
    """A process that has imported some modules, and that forks others. It ends with this object or this process."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        program = Path(__file__).with_name("fork_server.py").read_text(encoding="utf-8")
        settings = {"modules": list(modules), "path": environment.get("PYTHONPATH", "")}
        self._folder = tempfile.TemporaryDirectory(prefix="warm-parent-")
        variables = {name: value for name, value in environment.items() if not name.startswith(FREE_VARIABLES)}
        self._control, other = socket.socketpair()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as errors, other:
            command = [sys.executable, "-c", program, str(other.fileno()), json.dumps(settings)]
            self._process = subprocess.Popen(
                command, env=variables | {"XDG_CACHE_HOME": self._folder.name}, cwd=self._folder.name,
                pass_fds=[other.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip
            other.close()
            self._control.settimeout(WAIT_S)
            with self._control.makefile("r") as lines:
                told = lines.readline()
            errors.seek(0)
            if not told:
                self.end()
                raise AssertionError(f"{', '.join(modules)} can't be imported: {errors.read()}")
        self.obstacles: list[str] = json.loads(told)

    def fork(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path, streams: Sequence[int]
    ) -> Forked:
        """Fork what runs `[sys.executable, "-c", text, …]` or `[sys.executable, file, …]`, with three descriptors."""
        request = {"command": list(command), "environment": dict(environment), "folder": str(folder)}
        ours, other = socket.socketpair()
        with other, tempfile.TemporaryFile("w+", encoding="utf-8") as described:
            json.dump(request, described)
            described.seek(0)
            socket.send_fds(self._control, [b"1"], [other.fileno(), *streams, described.fileno()])
        return Forked(command, ours)

    def end(self) -> None:
        """Kill what it has forked, and end it."""
        self._control.close()
        self._process.wait()
        self._folder.cleanup()


class WarmParents:
    """The warm parents of a test session, by their modules and variables; only the last ones used are kept."""

    def __init__(self) -> None:
        self._parents: dict[Any, WarmParent] = {}

    def parent(self, modules: Sequence[str], environment: Mapping[str, str]) -> WarmParent | None:
        """Return a parent that has imported the modules with these variables; None where none can be forked safely."""
        if not modules or not CAN_FORK:
            return None
        fixed = {name: value for name, value in environment.items() if not name.startswith(FREE_VARIABLES)}
        key = (*modules, *sorted(fixed.items()))
        parent = self._parents.pop(key, None) or WarmParent(modules, environment)
        while len(self._parents) >= MAX_PARENTS:
            self._parents.pop(next(iter(self._parents))).end()
        self._parents[key] = parent
        return None if parent.obstacles else parent

    def end(self) -> None:
        """End them all."""
        while self._parents:
            self._parents.popitem()[1].end()
