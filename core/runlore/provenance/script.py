"""The source of the script that a run ran: as its commit and its changes have it, or as the store has kept it."""

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from runlore.hookspecs import CapturedFile
from runlore.plugins.code import PATCH, SOURCES
from runlore.plugins.manager import plugins
from runlore.provenance.source import CannotRebuild, Code, Rebuilt, code_of, repository_with
from runlore.store.runs import RecordedRun

MAX_BYTES = 1 << 20  # of a script that is shown


@dataclass(frozen=True, slots=True)
class Script:
    """The script of a run, as it ran: its path, below the folder of the project where that is known, and its text.

    `commit` is the one that it was read from, with the uncommitted changes where it was `changed`; without one the text
    is what the store has kept. `text` is None where neither has it, or it is none: `why` tells. `notes` tell what may
    have been different.
    """

    path: str
    text: str | None = None
    commit: str | None = None
    changed: bool = False
    why: str = ""
    notes: tuple[str, ...] = ()


def script_of(run: RecordedRun) -> Script | None:
    """Return the script of a run, secrets in it masked as in a captured file; None for code that is in no file.

    The repository is only read, by git with settings of ours: nothing that it names is run.
    """
    file = run.command.get("script")
    if not file or "\0" in file:  # which no file has in its name
        return None
    code = code_of(run)
    whole = PurePath(file).parts
    kept = {path: data for name in SOURCES for path, data in code.of(name).items() if _is_end(path, whole)}
    if kept:
        longest = max(kept, key=len)
        return _shown(Script(longest, notes=tuple(code.notes)), kept[longest])
    if code.commit is None:
        return Script(file, why="there was no repository, and no copy of it is in the store")
    if not Path(code.root or os.devnull).is_dir():
        code.root = str(repository_with(Path.cwd(), code.commit) or code.root)
    path = _below(run.environment["git"].get("root"), file)
    if path is None:
        return Script(file, why="it lies outside of the repository, and no copy of it is in the store")
    found = Script(path, commit=code.commit, changed=bool(code.of(PATCH)), notes=tuple(code.notes))
    try:
        return _shown(found, _from_git(code, path))
    except CannotRebuild as error:
        return replace(found, why=str(error))


def _is_end(path: str, whole: tuple[str, ...]) -> bool:
    """Return True if a path that was kept is the end of a file's, `whole`."""
    parts = PurePath(path).parts
    return whole[-len(parts) :] == parts


def _below(root: object, file: str) -> str | None:
    """Return the path of a file below the root of its repository, which git tells without links; None if outside."""
    for place in (file, os.path.realpath(file)):
        if isinstance(root, str) and PurePath(place).is_relative_to(root):
            return PurePath(place).relative_to(root).as_posix()
    return None


def _from_git(code: Code, path: str) -> bytes:
    """Return a file of a recorded state.

    Raises:
        CannotRebuild: git can't tell, or it is too large.
    """
    with tempfile.TemporaryDirectory(prefix="runlore-") as place:
        tree = Rebuilt(code, Path(place))
        size = int(tree.git("cat-file", "-s", f":0:{path}"))
        if size > MAX_BYTES:
            raise CannotRebuild(_too_large(size))
        return tree.git("cat-file", "blob", f":0:{path}")


def _shown(script: Script, data: bytes) -> Script:
    """Return a script with its text, or why it can't be shown."""
    if len(data) > MAX_BYTES:
        return replace(script, why=_too_large(len(data)))
    if b"\0" in data:
        return replace(script, why="it is no text")
    file = plugins().rewrite_file(CapturedFile(script.path, data, "code"))
    if file.withheld is not None:
        return replace(script, why=file.withheld)
    return replace(script, text=file.content.decode("utf-8", "backslashreplace"))


def _too_large(size: int) -> str:
    return f"it has {size:,} bytes: at most {MAX_BYTES:,} are shown"
