"""How a run would be done again: what is known, what is to be set, and what can't be restored."""

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
    """A run can't be done again, or not as it was."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What can't be restored, and why."""

    part: Part
    what: str


@dataclass(frozen=True, slots=True)
class Needed:
    """A file or folder that the run read. `state` tells what became of it."""

    name: str
    path: str
    state: str


@dataclass(slots=True)
class Plan:
    """How a run would be done again; made by `prepare`.

    `code` and `environment` say it in words, `differs` how the present packages differ where they are used. `settings`
    are variables to set, or to take away (None). `notes` are remarks that hold nothing up. Without a `command` nothing
    can be run.
    """

    run: RecordedRun
    places: Places
    changed: bool = False  # whether another command than the recorded one is run
    code: str = ""
    environment: str = ""
    differs: list[str] = field(default_factory=list)
    data: list[Needed] = field(default_factory=list)
    settings: dict[str, str | None] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    python: Path = Path(sys.executable)
    fresh: Environment | None = None

    @property
    def folder(self) -> Path:
        """Where everything of it lies."""
        return self.places.folder

    @property
    def cwd(self) -> Path:
        """Where the command is run."""
        return self.places.work
