"""The difference between the code of two runs: rebuilt from commit, patch and untracked files, or from snapshots."""

import difflib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runlore._code import PATCH, SNAPSHOT, UNTRACKED
from runlore._git import git_environment
from runlore._process import process
from runlore.errors import ArtifactNotFound
from runlore.hookspecs import CapturedFile

if TYPE_CHECKING:
    from runlore.artifacts import Artifact
from runlore.runs import RecordedRun

MODE = "100644"
LINES = 200_000  # of a file that is compared line by line

FileChange = tuple[str, str | None, str | None, str | None]  # path, what a has, what b has, unified diff


@dataclass(slots=True)
class CodeDiff:
    """Source files that differ, and what could not be compared."""

    changes: list[FileChange] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _CannotRebuild(Exception):
    pass


def compare_code(a: "RecordedRun", b: "RecordedRun") -> CodeDiff:
    """Compare the code of two runs; git repositories are only read."""
    found = CodeDiff(notes=list(_unknown(a)) + list(_unknown(b)))
    commits = [run.environment.get("git", {}).get("commit") for run in (a, b)]
    states = [[_sha(run, name) for name in (PATCH, UNTRACKED, SNAPSHOT)] for run in (a, b)]
    if commits[0] == commits[1] and states[0] == states[1]:
        return found
    if any(commits):
        try:
            found.changes += _compare_trees(a, b)
        except _CannotRebuild as error:
            found.notes.append(f"code: {error}; patches and untracked files are compared instead")
        else:
            return found
    for name in (PATCH, UNTRACKED, SNAPSHOT):
        found.changes += _compare_files(_files(a, name), _files(b, name))
    return found


# From git


def _compare_trees(a: "RecordedRun", b: "RecordedRun") -> Iterator[FileChange]:
    with tempfile.TemporaryDirectory(prefix="runlore-") as place:
        trees = [_Rebuilt(run, Path(place)) for run in (a, b)]
        if trees[0].root != trees[1].root and trees[0].first_commit() != trees[1].first_commit():
            raise _CannotRebuild(f"{str(trees[0].root)!r} and {str(trees[1].root)!r} are different repositories")
        text = trees[1].git("diff-tree", "-r", "-p", "--no-color", "--no-ext-diff", trees[0].tree(), trees[1].tree())
        raw = trees[1].git("diff-tree", "-r", "-z", "--abbrev=64", trees[0].tree(), trees[1].tree())
    yield from _parse(text.decode("utf-8", "replace"), raw.decode("utf-8", "surrogateescape"))


def _parse(text: str, raw: str) -> Iterator[FileChange]:
    """Files of a raw diff, each with its part of the unified one; both are in the same order."""
    parts = re.split(r"(?m)^(?=diff --git )", text)[1:]
    fields = raw.split("\0")
    remaining = iter(parts)
    for place in range(0, len(fields) - 1, 2):
        _, _, old, new, kind = fields[place].split(" ")
        sides = [None if set(name) == {"0"} else name for name in (old, new)]
        pieces = [next(remaining, "") for _ in range(2 if kind.startswith("T") else 1)]  # a changed type is told in two
        part = _masked("".join(pieces))
        if not _says_nothing(part):
            yield fields[place + 1], sides[0], sides[1], part


def _masked(part: str) -> str:
    """The difference as it would have been captured: what is committed has its secrets in place."""
    file = CapturedFile(PATCH, part.encode("utf-8", "surrogateescape"), "code")
    return process.plugins().rewrite_file(file).content.decode("utf-8", "replace")


def _says_nothing(part: str) -> bool:
    """Whether, once it is masked, what was taken away is what was added."""
    lines = part.splitlines()
    sides = [[line[1:] for line in lines if line.startswith(sign) and not line.startswith(sign * 3)] for sign in "-+"]
    return bool(sides[0]) and sides[0] == sides[1]


class _Rebuilt:
    """The tree of a run's code, written as git objects into a folder of ours beside the repository's own.

    Raises:
        _CannotRebuild: the repository is not here, or lacks the commit, or the patch does not fit.
    """

    def __init__(self, run: "RecordedRun", place: Path) -> None:
        section = run.environment.get("git", {})
        self._commit = section.get("commit")
        self.root = Path(str(section.get("root") or ""))
        self._name = run.name
        self._place = place / run.id
        self._place.mkdir()
        self._tree: str | None = None
        if not section.get("root") or not self.root.is_dir():
            raise _CannotRebuild(f"the repository of run {run.name!r} is not here")
        objects = place / "objects"
        objects.mkdir(exist_ok=True)
        original = self.git("rev-parse", "--path-format=absolute", "--git-path", "objects").decode().strip()
        self._own = {
            "GIT_INDEX_FILE": str(self._place / "index"),
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": original,
        }
        self._build(run)

    _own: "dict[str, str]" = {}  # noqa: RUF012  # replaced in __init__ once git told where its objects are

    def tree(self) -> str:
        """The id of the tree."""
        if self._tree is None:
            self._tree = self.git("write-tree").decode().strip()
        return self._tree

    def first_commit(self) -> bytes:
        """What tells a repository from others, wherever it was cloned."""
        return self.git("rev-list", "--max-parents=0", "HEAD")

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What git answers."""
        command = ["git", "-c", "core.quotepath=false", "-c", "core.autocrlf=false", *arguments]
        try:
            done = subprocess.run(
                command, cwd=self.root, env=git_environment(**self._own), input=stdin, capture_output=True, check=False
            )
        except OSError as error:
            raise _CannotRebuild(f"git can't be run: {error.strerror}") from None
        if done.returncode:
            reason = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
            raise _CannotRebuild(f"git {arguments[0]} of run {self._name!r}: {reason}")
        return done.stdout

    def _build(self, run: "RecordedRun") -> None:
        self.git("read-tree", self._commit) if self._commit else self.git("read-tree", "--empty")
        patch = _content(run, PATCH)
        if patch:
            self.git("apply", "--cached", "--whitespace=nowarn", "-", stdin=patch)
        for path, data in _files(run, UNTRACKED).items():
            blob = self.git("hash-object", "-w", "--stdin", stdin=data).decode().strip()
            self.git("update-index", "--add", "--cacheinfo", f"{MODE},{blob},{path}")


# From what was kept


def _compare_files(a: dict[str, bytes], b: dict[str, bytes]) -> Iterator[FileChange]:
    import hashlib

    for path in sorted({*a, *b}):
        if a.get(path) == b.get(path):
            continue
        hashes = [None if side.get(path) is None else hashlib.sha256(side[path]).hexdigest() for side in (a, b)]
        texts = [side.get(path, b"").decode("utf-8", "replace").splitlines(keepends=True) for side in (a, b)]
        if max(map(len, texts)) > LINES:
            yield path, hashes[0], hashes[1], None
            continue
        names = ["/dev/null" if path not in side else f"{letter}/{path}" for letter, side in (("a", a), ("b", b))]
        lines = difflib.unified_diff(texts[0], texts[1], names[0], names[1])
        yield path, hashes[0], hashes[1], "".join(_ended(lines))


def _ended(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _unknown(run: "RecordedRun") -> Iterator[str]:
    """What of a run's code is not known, and why."""
    for item in run.missing:
        if "reproduced" in item["why"] or item["what"].startswith("code"):
            yield f"the code of {run.name} is not fully known: {item['what']}: {item['why']}"
    for name in (PATCH, UNTRACKED, SNAPSHOT):
        artifact = _artifact(run, name)
        members = artifact.members if artifact and artifact.is_folder else ()
        hashes = [member.sha256 for member in members] or [artifact.sha256 or "" if artifact else ""]
        lost = [sha for sha in hashes if artifact and sha and not artifact.blobs.holds(sha)]
        if lost:
            yield f"the code of {run.name} is not fully known: the content of {name!r} is not in the store any more"


def _artifact(run: "RecordedRun", name: str) -> "Artifact | None":
    return next((item for item in reversed(run.artifacts) if item.kind == "code" and item.name == name), None)


def _sha(run: "RecordedRun", name: str) -> str | None:
    item = _artifact(run, name)
    return item.sha256 if item else None


def _content(run: "RecordedRun", name: str) -> bytes:
    item = _artifact(run, name)
    try:
        return item.read_bytes() if item else b""
    except ArtifactNotFound:
        return b""


def _files(run: "RecordedRun", name: str) -> dict[str, bytes]:
    """The files of a code artifact by path; a patch is one of its own name."""
    item = _artifact(run, name)
    if item is None:
        return {}
    if not item.is_folder:
        return {name: _content(run, name)}
    found = {}
    for member in item.members:
        try:
            found[member.path] = item.blobs.read(member.sha256)
        except ArtifactNotFound:
            continue
    return found
