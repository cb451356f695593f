"""Where the things of a run lie when it is done again, in a folder of its own."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runlore.plugins.code import SNAPSHOT
from runlore.provenance.source import Code
from runlore.store.runs import RecordedRun

TOP = Path(os.sep)


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of the first time, `root` of the code and `cwd`, and what stands for them now, `code` and `work`.

    Both are in `folder`. `clone` is where the code's repository lies now.
    """

    folder: Path
    root: Path
    cwd: Path
    code: Path
    work: Path
    clone: Path

    @classmethod
    def of(cls, run: RecordedRun, code: Code, folder: Path) -> "Places":
        """For a run that is done again in a folder."""
        cwd = _normal(run.command.get("began_in") or run.command.get("cwd") or TOP)
        recorded = run.environment.get("git", {}).get("root")
        root = _normal(recorded) if recorded else _snapshot_folder(run, code, cwd)
        clone = Path(code.root) if code.root else root
        if cwd.is_relative_to(root):
            own, work = folder / "code", folder / "code" / cwd.relative_to(root)
        elif root.is_relative_to(cwd) and cwd != TOP:
            own, work = folder / "work" / root.relative_to(cwd), folder / "work"
        else:
            own, work = folder / "code", folder / "work"
        return cls(folder, root, cwd, own, work, clone)

    def there(self, text: str) -> Path:
        """The place of a recorded path; that itself, where it is absolute and leads elsewhere than to the code."""
        path = self.then(text)
        for candidate in (path, Path(os.path.realpath(path))):  # somebody may have come by a link
            if candidate.is_relative_to(self.root):
                return self.code / candidate.relative_to(self.root)
        if Path(text).is_absolute():
            return path
        if path.is_relative_to(self.cwd):
            return self.work / path.relative_to(self.cwd)
        return Path(os.path.normpath(self.work / text))  # where the command looks for it

    def then(self, text: str) -> Path:
        """A recorded path as it was meant, absolute."""
        return _normal(self.cwd / text)

    def beside(self, path: Path) -> Path | None:
        """The place of something of the user's that lies in the code or in the working directory; None if elsewhere."""
        whole = _normal(path.absolute())
        for then, now in ((self.root, self.code), (self.clone, self.code), (self.cwd, self.work)):
            if whole.is_relative_to(then) and whole != then:
                return now / whole.relative_to(then)
        return None

    def may_write(self, path: Path) -> bool:
        """Whether a path is one of ours: no link leads out of the folder, and it is none of git's own."""
        inside = Path(os.path.realpath(path.parent)).is_relative_to(self.folder) and not path.is_symlink()
        return inside and ".git" not in (part.lower() for part in path.parts)

    def moved(self, text: str) -> str:
        """An argument or a variable, in which paths into the code lead to where it is now."""
        path = rf"(?:(?<=//)|(?<![\w./-])){re.escape(str(self.root))}(?=/|$|[^\w.-])"
        return re.sub(path, lambda _: str(self.code), text)

    def as_then(self, text: str) -> str:
        """A text of now in which the folders of now are called as they were."""
        pairs = ((str(self.code), str(self.root)), (str(self.work), str(self.cwd)))
        for now, before in sorted(pairs, key=lambda pair: -len(pair[0])):
            text = text.replace(now, before)
        return text


def scripts(run: RecordedRun) -> Iterator[str]:
    """What the script may be, as a path."""
    if run.command.get("script"):
        yield run.command["script"]
    program = program_of(run)
    if len(program) > 1 and program[-2] == "-m":
        path = program[-1].replace(".", os.sep)
        yield from (f"{path}.py", f"{path}{os.sep}__main__.py")
    elif program:
        yield program[-1]


def program_of(run: RecordedRun) -> list[str]:
    """How Python was started, up to the script's arguments; of older records only the script."""
    argv = run.command.get("argv") or []
    return list(run.command.get("program") or ([argv[0]] if argv and argv[0] not in ("", "-c", "-m") else []))


def _normal(path: str | Path) -> Path:
    return Path(os.path.normpath(TOP / path))


def _snapshot_folder(run: RecordedRun, code: Code, cwd: Path) -> Path:
    """The folder that the names of a snapshot count from: that of the script."""
    for script in scripts(run):
        path = _normal(cwd / script)
        for folder in path.parents:  # the script may be in a package
            if path.relative_to(folder).as_posix() in code.of(SNAPSHOT):
                return folder
    return cwd
