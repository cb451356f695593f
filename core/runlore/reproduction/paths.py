"""Recorded paths, and their counterparts in the fresh folder where a run is repeated."""

import os
import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runlore._sharing import own_users
from runlore.artifacts.folders import is_of_git
from runlore.plugins.code import SNAPSHOT
from runlore.provenance.source import Code
from runlore.store.runs import RecordedRun

ROOT = Path(os.sep)
UNUSABLE = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")  # characters that no path can have


@dataclass(frozen=True, slots=True)
class Places:
    """The recorded folders of a run, and the folders that replace them.

    `code`, in `folder`, replaces `root`, the recorded root of the code; `work`, in `folder` too, replaces `cwd`, the
    recorded working directory. `clone` is the repository on this machine that the code is read from.
    """

    folder: Path
    root: Path
    cwd: Path
    code: Path
    work: Path
    clone: Path

    @classmethod
    def of(cls, run: RecordedRun, code: Code, folder: Path) -> "Places":
        """Lay out `folder` so that code and working directory keep their relative position."""
        cwd = _normal(run.command.get("began_in") or run.command.get("cwd") or ROOT)
        recorded = run.environment.get("git", {}).get("root")
        root = _normal(recorded) if recorded else _snapshot_folder(run, code, cwd)
        clone = Path(code.root) if code.root else root
        if cwd.is_relative_to(root):
            own, work = folder / "code", folder / "code" / cwd.relative_to(root)
        elif root.is_relative_to(cwd) and cwd != ROOT:
            own, work = folder / "work" / root.relative_to(cwd), folder / "work"
        else:
            own, work = folder / "code", folder / "work"
        return cls(folder, root, cwd, own, work, clone)

    def then(self, text: str) -> Path:
        """Return a recorded path as an absolute one."""
        return _normal(self.cwd / text)

    def now(self, text: str) -> Path:
        """Return the path that replaces a recorded one; an absolute path outside the code stays as it is."""
        path = self.then(text)
        for candidate in (path, Path(os.path.realpath(path))):  # the code may have been reached through a link
            if candidate.is_relative_to(self.root):
                return self.code / candidate.relative_to(self.root)
        if Path(text).is_absolute():
            return path
        if path.is_relative_to(self.cwd):
            return self.work / path.relative_to(self.cwd)
        return Path(os.path.normpath(self.work / text))  # where the command will look for it

    def target_of(self, path: Path) -> Path | None:
        """Return where a user's file belongs; None if it is neither in the code nor in the working directory."""
        whole = _normal(path.absolute())
        for source, target in ((self.root, self.code), (self.clone, self.code), (self.cwd, self.work)):
            if whole.is_relative_to(source) and whole != source:
                return target / whole.relative_to(source)
        return None

    def may_write(self, path: Path) -> bool:
        """Return True if no link leads from the path out of the fresh folder, and it is not in a .git folder."""
        inside = Path(os.path.realpath(path.parent)).is_relative_to(self.folder) and not path.is_symlink()
        return inside and not is_of_git(str(path))

    def relocate(self, text: str) -> str:
        """Replace the paths into the recorded code in an argument or a variable by their present ones."""
        path = rf"(?:(?<=//)|(?<![\w./-])){re.escape(str(self.root))}(?=/|$|[^\w.-])"
        return re.sub(path, lambda _: str(self.code), text)

    def as_then(self, text: str) -> str:
        """Replace the fresh folders in a text by the recorded ones."""
        pairs = ((str(self.code), str(self.root)), (str(self.work), str(self.cwd)))
        for now, then in sorted(pairs, key=lambda pair: -len(pair[0])):
            text = text.replace(now, then)
        return text


def script_paths(run: RecordedRun) -> Iterator[str]:
    """Yield the paths, as recorded, at which the script of a run may lie."""
    if run.command.get("script"):
        yield run.command["script"]
    program = program_of(run)
    if len(program) > 1 and program[-2] == "-m":
        path = program[-1].replace(".", os.sep)
        yield from (f"{path}.py", f"{path}{os.sep}__main__.py")
    elif program:
        yield program[-1]


def program_of(run: RecordedRun) -> list[str]:
    """Return Python's own arguments, up to the script's; older records have only the script."""
    argv = run.command.get("argv") or []
    return list(run.command.get("program") or ([argv[0]] if argv and argv[0] not in ("", "-c", "-m") else []))


def make_folder(prefix: str) -> Path:
    """Make a folder for this user alone, in which no tool finds settings of other users in the folders above.

    It lies in the folder for temporary files where that is this user's own, else in the user's cache; without one, in
    the common folder for temporary files.

    Raises:
        OSError: it can't be made.
    """
    common = Path(tempfile.gettempdir())
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # it never raises
    for place in (common, Path(cache, "runlore", "reproduced")):
        try:
            if place != common and place.is_absolute():
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_own(place):
                return Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix=prefix))


def _is_own(place: Path) -> bool:
    """Return True if a folder is this user's, and nobody else can change it or the way to it.

    Raises:
        OSError: it is not there.
    """
    ways = [(folder.lstat(), folder.stat()) for folder in (place, *place.parents)]
    owners = {status.st_uid for way in ways for status in way}
    status = ways[0][1]
    return owners <= own_users() and status.st_uid == os.geteuid() and not status.st_mode & stat.S_IWOTH


def _normal(path: str | Path) -> Path:
    return Path(os.path.normpath(ROOT / UNUSABLE.sub("\ufffd", str(path))))


def _snapshot_folder(run: RecordedRun, code: Code, cwd: Path) -> Path:
    """Return the folder that the file names of a snapshot are relative to."""
    for script in script_paths(run):
        path = _normal(cwd / script)
        for folder in path.parents:  # the script may be in a package
            if path.relative_to(folder).as_posix() in code.of(SNAPSHOT):
                return folder
    return cwd
