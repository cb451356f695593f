"""The plan for repeating a run: what was restored, what can't be, and the command."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from runlore.errors import RunloreError
from runlore.reproduction.paths import Places
from runlore.reproduction.venv import Environment
from runlore.store.runs import RecordedRun

Part = Literal["code", "environment", "data", "command"]


class CannotReproduce(RunloreError, RuntimeError):
    """A run can't be repeated, or not as it was."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that can't be restored, and why."""

    part: Part
    what: str


@dataclass(frozen=True, slots=True)
class Needed:
    """A file or folder that the run read. `state` says in words whether it is there and unchanged."""

    name: str
    path: str
    state: str


@dataclass(slots=True)
class Plan:
    """The way in which a run will be repeated; made by `prepare`.

    `code` and `environment` describe what was restored; `differs` lists the differences of the installed packages where
    these are used as they are. `settings` are environment variables to set, or to remove (None). `notes` are remarks
    that don't stand in the way. `imported` holds modules that lay outside of the code, `typed` is the file of code
    that lay in none. The plan can be carried out if there is a `command`.
    """

    run: RecordedRun
    places: Places
    changed: bool = False  # True if the user gave another command than the recorded one
    code: str = ""
    environment: str = ""
    differs: list[str] = field(default_factory=list)
    data: list[Needed] = field(default_factory=list)
    settings: dict[str, str | None] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    python: Path = Path(sys.executable)
    imported: Path | None = None
    typed: Path | None = None
    fresh: Environment | None = None  # to be installed; None: the present packages are used

    @property
    def folder(self) -> Path:
        """The fresh folder, which holds the code, the working directory and the environment."""
        return self.places.folder

    @property
    def cwd(self) -> Path:
        """The working directory of the command."""
        return self.places.work
