"""Stand for a program while it is captured, and take what its Pythons have told of themselves."""

import errno
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore._inside import drop, open_binary, open_file
from runlore._process import process
from runlore._standing import StandIn
from runlore._streams import file_identity
from runlore._variables import RECORDED
from runlore.plugins.environment import installed_packages, own_python, python_sections, recorded_variables
from runlore.programs.supervising import find_program
from runlore.recording.captures import environment_event
from runlore.recording.run import Run

MAX_BYTES = 64 << 20  # of all that the Pythons of a program tell
WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")  # options of Python that a word of their own follows
NOTEBOOKS = "runlore.programs.notebook"


def is_python(word: str) -> bool:
    """Return True if a program is some Python, by its name."""
    return Path(word).name.startswith(("python", "pypy")) or word == sys.executable


def stand_for(words: Sequence[str]) -> None:
    """Let this process stand for a program: for what is captured, its script is what runs here."""
    part = process.part(StandIn)
    part.called = list(words)
    part.modules = {}
    name = find_program(words[0])
    package = ""
    if is_python(words[0]):
        script, package = _script_of(words)
    else:
        script = Path(name) if name is not None else None
    if script is not None:
        main = {"__name__": "__main__", "__file__": str(script.absolute()), "__package__": package}
        part.modules["__main__"] = main


def _script_of(words: Sequence[str]) -> tuple[Path | None, str]:
    """Return the file that a Python is given to run, and its package; no file for a text, and for its input."""
    rest = list(words[1:])
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "-" or (not word.startswith("--") and word[-1] == "c"):
            return None, ""
        if not word.startswith("--") and word[-1] == "m" and rest:
            return _module_of(rest, words[0])
        if word in WITH_VALUE:
            rest = rest[1:]
    path = Path(rest[0]) if rest else None
    if path is not None and path.is_dir():
        path = path / "__main__.py"
    return (path if path is not None and path.is_file() else None), ""


def _module_of(rest: Sequence[str], python: str) -> tuple[Path, str]:
    """Return the file of a module below this folder, and its package; Python's own for one that is installed.

    Of a notebook that is executed it is the notebook.
    """
    if rest[0] == NOTEBOOKS and len(rest) > 1:
        return Path(rest[1]), ""
    place = Path(*rest[0].split("."))
    for path, package in ((place.with_suffix(".py"), place.parent), (place / "__main__.py", place)):
        if path.is_file():
            return path, ".".join(package.parts)
    return Path(find_program(python) or sys.executable), ""


class Told:
    """The file in which the Pythons of a run's program tell of themselves, each with a line as it ends.

    Files that it names are read, so it is this user's alone, also in a store of a group.

    Raises:
        OSError: it can't be made.
    """

    def __init__(self, run: Run) -> None:
        assert run.run_log.writer is not None
        self.path = run.run_log.writer.path.with_suffix(".told")
        self.seeds: dict[str, Any] = {}  # of the program's Python, once it is taken
        self._run = run
        descriptor = open_file(self.path, None, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            self._file = file_identity(descriptor)
        finally:
            os.close(descriptor)

    def take(self) -> None:
        """Let this process stand for what was told, and remove the file. The run gets what it could not know before.

        Raises:
            OSError: the file can't be read, or is another one by now.
        """
        lines = self._read().decode("ascii", "replace").splitlines()
        found = [facts for facts in map(_facts, lines) if facts is not None]
        part = process.part(StandIn)
        modules = dict(part.modules or {})
        for facts in found:
            for name, values in _modules(facts):
                modules[_free(name, values, modules)] = values
        part.modules = modules
        program = next((facts for facts in found if facts["is_program"]), next(iter(found), None))
        if program is not None:
            self._tell(program)

    def _read(self) -> bytes:
        """Return what was told, and remove the file."""
        try:
            with open_binary(self.path) as file:
                if file_identity(file.fileno()) != self._file:
                    raise OSError(errno.ESTALE, "another file lies in the place of what it told")
                return file.read(MAX_BYTES)
        finally:
            drop(self.path)

    def _tell(self, facts: Mapping[str, Any]) -> None:
        self.seeds = dict(facts["seeds"])
        sections = _sections(facts)
        if sections:
            self._run.run_log.event(environment_event(sections, self._run.run_log.blobs), masked=True)


def _facts(line: str) -> dict[str, Any] | None:
    """Return what a line tells; None for one that was cut off."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "modules" in found else None


def _modules(facts: Mapping[str, Any]) -> list[tuple[str, dict[str, object]]]:
    found: list[tuple[str, dict[str, object]]] = []
    for name, (file, package) in facts["modules"].items():
        found.append((name, {"__name__": name, "__file__": file, "__package__": package}))
    if facts["script"] is not None and "__main__" not in facts["modules"]:  # Python has removed it, as its end was near
        found.append(("__main__", {"__name__": "__main__", "__file__": facts["script"]}))
    return found


def _free(name: str, values: Mapping[str, object], modules: Mapping[str, Mapping[str, object]]) -> str:
    """Return a name for a module under which no other file is known."""
    number = 1
    free = name
    while free in modules and modules[free]["__file__"] != values["__file__"]:
        number += 1
        free = f"{name} {number}"
    return free


def _sections(facts: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the sections of the environment that are others in the program than here."""
    found: dict[str, Mapping[str, Any]] = {}
    own = own_python()
    told = {name: str(facts[name]) for name in own}
    path = [str(place) for place in facts["path"]]
    if told != own or installed_packages([place for place in path if place not in sys.path]):
        found |= python_sections(told, path)
    changed = {name: str(value) for name, value in facts["variables"].items() if name in RECORDED}
    if changed:
        found["variables"] = recorded_variables({**os.environ, **changed})
    return found
