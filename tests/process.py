"""Scripts that run in Python processes of their own."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from runlore.testing.processes import Process
from runlore.testing.warm import WarmParent

__all__ = ["Process", "Ranks", "free_port", "scripts"]


def _cold(environment: Mapping[str, str]) -> None:
    """Return no parent."""


@contextmanager
def scripts(
    folder: Path, parent_of: Callable[[Mapping[str, str]], WarmParent | None] = _cold
) -> Iterator[Callable[..., Process]]:
    """Give a function that starts scripts, texts or files, in a folder; what still runs at the end is killed.

    `parent_of` may name the process that shall fork one with certain environment variables.
    """
    started: list[Process] = []

    def start(script: str | Path, *arguments: str, **environment: str) -> Process:
        program = [str(script)] if isinstance(script, Path) else ["-c", dedent(script)]
        variables = {**os.environ, **environment}
        started.append(Process([*program, *arguments], variables, folder, parent_of(variables)))
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            process.end()


def free_port() -> str:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


class Ranks:
    """Two processes of a script with the variables that a launcher of distributed training gives them."""

    def __init__(self, python: Callable[..., Process], script: str | Path, *arguments: str, **environment: str) -> None:
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        self._processes = [
            python(script, *arguments, **environment, **shared, RANK=rank, LOCAL_RANK=rank) for rank in ("0", "1")
        ]

    @property
    def err(self) -> str:
        """What they have written to stderr, one after the other."""
        return "".join(process.err for process in self._processes)

    def wait(self) -> int:
        """Return the first exit status that is not 0, when both have ended."""
        return next(filter(None, [process.wait() for process in self._processes]), 0)

    def succeed(self) -> str:
        """Wait until both end well, and return what the first has printed."""
        first, _ = [process.succeed() for process in self._processes]
        return first
