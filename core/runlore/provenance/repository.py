"""Repositories that are read by git with settings of ours: nothing that a repository names is run."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runlore.plugins.git import MAX_PATHS, Changed, Git, Status, root_of

LFS_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n(?:size (\d+)\n)?"
)
LFS_MARK = "version https://git-lfs.github.com/spec/v1"

# Settings of a repository that say how its files are written, and name no program.
HARMLESS = "filemode|symlinks|ignorecase|precomposeunicode|trustctime|checkstat|autocrlf|eol"
PLAIN_VALUE = re.compile(r"[a-z]{0,12}")
WHERE = ("--show-toplevel", "--git-common-dir", "--git-path", "index", "--show-object-format")
MAX_EXCLUDED_BYTES = 1 << 20
MAX_SHARED_INDEXES = 100
MAX_INDEX_BYTES = 1 << 28


class StandIn:
    """A folder that git takes for the `.git` of a repository: it has settings of ours, and the repository's commits.

    Filters, hooks, watchers and drivers of the repository are not in it; of the user's own no filter is applied. What
    git writes goes into folders of ours. `environment` are variables for git, `common` is the repository's own folder.
    """

    def __init__(self, git: Git, place: Path) -> None:
        """Make the folder in `place`, where others may be, for the repository that `git` asks about.

        Raises:
            GitTooSlow: the time is up.
            ValueError: git can't read it, or it says that its files lie elsewhere.
        """
        answer = git.text("rev-parse", "--path-format=absolute", *WHERE) if git.is_in_repository else None
        facts = (answer or "").split("\n")
        if len(facts) != len(WHERE) - 1 or Path(facts[0]) != root_of(git.folder):
            raise ValueError("git can't read the repository")
        self.root, self.common, index = map(Path, facts[:3])
        self.kind = facts[3]
        self.commit = git.text("rev-parse", "--verify", "--quiet", "HEAD")
        self.branch = git.text("symbolic-ref", "--quiet", "--short", "HEAD") or "(detached)"
        self.objects = self.common / "objects"
        own = place / f"git-{len(list(place.iterdir()))}"
        for part in ("refs", "objects", "info"):
            (own / part).mkdir(parents=True)
        (place / "objects").mkdir(exist_ok=True)
        (own / "HEAD").write_text(f"{self.commit}\n" if self.commit else "ref: refs/heads/none\n", encoding="utf-8")
        (own / "config").write_text(_settings(git, self.kind), encoding="utf-8", errors="surrogateescape")
        attributes = _beginning(self.common / "info" / "attributes")
        (own / "info" / "attributes").write_bytes(attributes + b"\n* -filter\n")  # the last line counts
        (own / "info" / "exclude").write_bytes(_beginning(self.common / "info" / "exclude"))
        if (self.common / "shallow").is_file():
            (own / "shallow").write_bytes(_beginning(self.common / "shallow", 64 << 20))
        for shared in sorted(index.parent.glob("sharedindex.*"))[:MAX_SHARED_INDEXES]:
            (own / shared.name).write_bytes(_beginning(shared, MAX_INDEX_BYTES))  # git sets its time anew
        self.environment = {
            "GIT_DIR": str(own),
            "GIT_WORK_TREE": str(self.root),
            "GIT_INDEX_FILE": str(index),
            "GIT_OBJECT_DIRECTORY": str(place / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(str(self.objects)),
        }


class ReadingGit(Git):
    """Asks git about a repository through a `StandIn`.

    Files are compared as git would write them but for filters, which are not run: a file that passes one is compared
    byte for byte, one of Git LFS by its hash. `filtered` lists the changed ones, with the names of their filters.
    """

    submodules_by = "dirty"  # else git asks each with its own settings

    def __init__(self, git: Git, place: Path) -> None:
        super().__init__(git.folder, git.timeout)
        self.until = git.until
        self.filtered: dict[str, str] = {}
        self._place = place
        self._asked = git
        self._stand_in: StandIn | None = None
        try:
            self._stand_in = StandIn(git, place)
            self.settings = self._stand_in.environment
            git.folder = self._stand_in.root
            git.settings = {"GIT_INDEX_FILE": str(place / "none")}  # git sets the time of a shared index anew
        except ValueError:
            self.is_in_repository = False

    def at(self, folder: Path) -> "ReadingGit":
        """Return what asks about another repository, with what is left of the time."""
        return ReadingGit(self._asked.at(folder), self._place)

    def status(self) -> Status | None:
        """Return the state of the working tree; None outside a repository."""
        found = super().status()
        if found is None or self._stand_in is None:
            return None
        paths = [item.path for item in found.changed if item.tracked]
        same = set(self._kept_elsewhere(paths))
        self.filtered = self._filters([path for path in paths if path not in same])
        changed = [item for item in found.changed if item.path not in same]
        known = {item.path for item in changed}
        inside = {item.path: item for item in self._changed_submodules()}
        merged = [Changed(item.path, item.tracked, item.path in inside) for item in changed]
        merged += [item for path, item in inside.items() if path not in known]
        return Status(self._stand_in.commit, self._stand_in.branch, tuple(merged))

    def _changed_submodules(self) -> Iterator[Changed]:
        for path in self.submodules():
            place = self._asked.folder / path
            if os.path.lexists(place / ".git"):
                status = self.at(place).status()
                if status is not None and status.changed:
                    yield Changed(path, tracked=any(item.tracked for item in status.changed), inside=True)

    def _kept_elsewhere(self, paths: list[str]) -> Iterator[str]:
        """Yield those of some files whose content is the one that Git LFS keeps, as their pointers say."""
        for some in _portions(paths):
            told = self.text("grep", "--no-textconv", "-zlIF", LFS_MARK, "HEAD", "--", *map(_literal, some))
            for name in filter(None, (told or "").split("\0")):
                path = name.partition(":")[2]
                pointer = LFS_POINTER.match(self.ask("cat-file", "blob", f"HEAD:{path}", limit=1 << 10) or b"")
                if pointer and self._is_content(path, pointer[1], pointer[2]):
                    yield path

    def _is_content(self, path: str, sha256: bytes, size: bytes | None) -> bool:
        """Return True if a file of the working tree has the size and the hash of a pointer."""
        place = self._asked.folder / path
        if place.is_symlink() or not place.is_file() or place.stat().st_size != int(size or -1):
            return False
        with place.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256.decode()

    def _filters(self, paths: list[str]) -> dict[str, str]:
        """Return the names of the filters that the repository's attributes give to some files."""
        found = {}
        for some in _portions(paths):
            told = self._asked.text("check-attr", "-z", "filter", "--", *some) or ""
            fields = told.split("\0")
            for path, _, name in zip(*(iter(fields),) * 3, strict=False):
                if name not in ("unspecified", "unset", "set"):
                    found[path] = name
        return found


@contextmanager
def reading(folder: Path, timeout: float) -> Iterator[ReadingGit]:
    """Give a git that asks about the repository of a folder and runs nothing of it; `timeout` is in seconds."""
    with tempfile.TemporaryDirectory(prefix="runlore-") as place:
        yield ReadingGit(Git(folder, timeout), Path(place))


def _settings(git: Git, kind: str) -> str:
    """Return settings for git: the harmless ones of a repository, its object format and its remote."""
    extension = f"[extensions]\n\tobjectFormat = {kind}\n" if kind != "sha1" else ""
    lines = [f"[core]\n\trepositoryformatversion = {1 if extension else 0}\n\tbare = false\n"]
    told = git.text("config", "-z", "--get-regexp", rf"^core\.({HARMLESS})$") or ""
    for name, _, value in (item.partition("\n") for item in told.split("\0")):
        if name and PLAIN_VALUE.fullmatch(value):
            lines.append(f"\t{name.removeprefix('core.')} = {value}\n")
    remote = git.text("config", "--get", "remote.origin.url")
    if remote is not None:
        quoted = remote.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        extension += f'[remote "origin"]\n\turl = "{quoted}"\n'
    return "".join(lines) + extension


def _beginning(path: Path, limit: int = MAX_EXCLUDED_BYTES) -> bytes:
    """Return what a regular file holds, up to a limit; nothing of anything else."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(limit)
    except OSError:
        return b""


def _portions(paths: list[str]) -> Iterator[list[str]]:
    for begin in range(0, len(paths), MAX_PATHS):
        yield paths[begin : begin + MAX_PATHS]


def _literal(path: str) -> str:
    return f":(top,literal){path}"


def _quoted(path: str) -> str:
    """Return a path as git reads it in a list of paths."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
