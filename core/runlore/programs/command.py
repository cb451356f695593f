"""Start what `runlore run` is given, record it, and end as it ends."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runlore.programs.recorded import record, start_program
from runlore.programs.supervising import NOT_EXECUTABLE, NOT_FOUND, end_like, find_program
from runlore.recording.run import Run

if TYPE_CHECKING:
    from runlore.programs.printed import Forms


class CantStart(Exception):
    """Tells why there is no program to be started, and the status that a shell would end with."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.status = status


def run_program(
    called: Sequence[str],
    forms: "Forms | None" = None,
    *,
    store: str | None = None,
    name: str | None = None,
    experiment: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Run a program, record it, and end this process as it ended; does not return.

    Numbers that it prints in some `forms` become metrics.

    Raises:
        CantStart: it can't be started; where it was tried, its run has failed.
        StoreRefused, BackendNotFound, FormatError: `store` names what is no store for runs.
    """
    words = words_of(called)

    def opened() -> Run:
        return start_program(store, name=name, experiment=experiment, tags=tags, called=called)

    try:
        outcome = record(words, opened, forms)
    except OSError as error:
        status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        raise CantStart(f"{called[0]!r} can't be started: {error.strerror or error}", status) from None
    end_like(outcome)


def words_of(called: Sequence[str]) -> list[str]:
    """Return what is executed: Python itself for a script of it.

    Raises:
        CantStart: there is no such program.
    """
    name = called[0]
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return [sys.executable, "-m", "runlore.programs.notebook", *called]
    if name == "-m" or (path.is_file() and _is_script(path)):
        return [sys.executable, *called]
    if path.is_dir() and (path / "__main__.py").is_file():
        return [sys.executable, *called]
    if find_program(name) is not None:
        return list(called)
    is_there = path.exists()
    why = f"{name!r} can't be executed" if is_there else f"there is no program and no script {name!r}"
    raise CantStart(why, NOT_EXECUTABLE if is_there else NOT_FOUND)


def _is_script(path: Path) -> bool:
    """Return True for a file that Python can run and that need not be executable."""
    if path.suffix in (".py", ".pyw", ".pyc", ".pyz"):
        return True
    try:
        with path.open("rb") as file:
            first = file.read(256)
    except OSError:
        return False
    if first.startswith(b"PK\x03\x04"):
        return True
    return first.startswith(b"#!") and b"python" in first.partition(b"\n")[0] and not os.access(path, os.X_OK)
