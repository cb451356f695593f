"""Scripts that run in Python processes of their own."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from runlore.testing.processes import Process
from runlore.testing.warm import WarmParent

__all__ = ["Process", "scripts"]


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
