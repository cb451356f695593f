"""The code of a run, or of a folder now: a commit with a patch and untracked files, or a snapshot of sources."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runlore._ids import is_sha256
from runlore._text import count_text
from runlore.artifacts.artifact import Artifact
from runlore.errors import ArtifactNotFound
from runlore.plugins.code import IMPORTED, PATCH, SNAPSHOT, SOURCES, SUBMODULES, UNTRACKED, code_files
from runlore.plugins.git import TIMEOUT_S, Git, GitTooSlow, git_environment
from runlore.plugins.manager import plugins
from runlore.plugins.modules import Loaded
from runlore.plugins.typed import TYPED
from runlore.provenance.repository import ReadingGit, StandIn, reading
from runlore.store.runs import RecordedRun

ARTIFACTS = (PATCH, *SOURCES, TYPED)  # those that hold code
OUTSIDE = (IMPORTED, TYPED)  # those of code that lies in no folder which could be looked at again
LOST = ("git", "the code", "what was captured")  # what older records say of code that could not be captured
COMMIT_ID = re.compile(r"[0-9a-f]{40,64}")
MAX_CODE_BYTES = 64 << 20  # that are read of an artifact with code
GIT_SECONDS = 120  # that one question to git may take
GIT_MEMORY = 8 << 20  # KiB of address space: a small patch may tell of much
MAX_TREE_BYTES = 16 << 30  # of all files of a state, and the number of these
MAX_TREE_FILES = 1_000_000
FILE_MODE = "100644"  # of a file that can't be executed
LIMITED = ("/bin/sh", "-c", f'ulimit -v {GIT_MEMORY} 2>/dev/null; exec "$@"', "sh")
SAFE_SETTINGS = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.quotepath=false", "core.autocrlf=false")


@dataclass(slots=True)
class Code:
    """A state of the code. `files` are the contents that git does not have, by artifact and path.

    `notes` tell what is missing.
    """

    name: str
    commit: str | None
    root: str | None  # of the repository
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """False where a part of it is missing, or nothing of it is on record."""
        return not self.notes and (self.commit is not None or bool(self.files))

    def of(self, artifact: str) -> dict[str, bytes]:
        """Return the files of a code artifact by path; a patch is a file with the artifact's own name."""
        return self.files.get(artifact, {})


class CannotRebuild(Exception):
    """A recorded state of the code can't be brought back."""


def code_of(run: RecordedRun) -> Code:
    """Return the code that a run recorded."""
    section = run.environment.get("git", {})
    commit, root = section.get("commit"), section.get("root")
    known = isinstance(commit, str) and COMMIT_ID.fullmatch(commit) is not None
    placed = isinstance(root, str) and root.startswith(os.sep) and "\0" not in root
    code = Code(run.name, commit if known else None, root if placed else None, notes=list(_unknown_parts(run)))
    code.files = {name: files for name in ARTIFACTS if (files := _recorded(run, name, code.notes))}
    return code


def code_now(folder: Path, like: Code) -> Code:
    """Return the code in a folder now, secrets masked as in a record; of modules, the files that `like` has.

    What lies elsewhere, or was typed, is taken over from `like`. Nothing that the folder names is run.
    """
    with reading(folder, TIMEOUT_S) as git:
        return _code_by(git, folder, like)


def _code_by(git: ReadingGit, folder: Path, like: Code) -> Code:
    code = Code(str(folder), None, git.text("rev-parse", "--show-toplevel"))
    code.commit = git.text("rev-parse", "--verify", "HEAD") if code.root else None
    for name in OUTSIDE:
        if like.of(name):
            code.files[name] = dict(like.of(name))
            code.notes.append(f"{folder}: the code that {like.name} has in {name!r} lies elsewhere: it is not compared")
    root = Path(code.root or folder)
    known = {**like.of(UNTRACKED), **like.of(SUBMODULES)} if code.root else like.of(SNAPSHOT)
    loaded = [Loaded.at(root, path) for path in known if (root / path).is_file()]
    for found in code_files(git, lambda: loaded):
        file = plugins().rewrite_file(found)
        if file.withheld is not None:
            code.notes.append(f"{folder}: {file.name}: {file.withheld}")
        else:
            code.files.setdefault(file.folder or file.name, {})[file.name] = file.content
    code.notes += [
        f"{folder}: {path} passes the filter {name!r}, which is not run: its bytes are compared as they are"
        for path, name in sorted(git.filtered.items())
    ]
    return code


def repository_with(folder: Path, commit: str | None) -> Path | None:
    """Return the root of the repository that a folder is in; None without one, or if it lacks the commit."""
    git = Git(folder, TIMEOUT_S)
    try:
        root = git.text("rev-parse", "--show-toplevel")
        known = root is not None and (commit is None or git.ask("cat-file", "-e", f"{commit}^{{commit}}") is not None)
    except GitTooSlow:
        return None
    return Path(root) if root is not None and known else None


class Rebuilt:
    """A state of the code as a tree of git, whose objects are written into the folder `place`.

    Nothing is written into the repository, and nothing that it names is run.

    Raises:
        CannotRebuild: the repository is not here, or lacks the commit, or the patch does not fit.
    """

    def __init__(self, code: Code, place: Path) -> None:
        self.root = Path(code.root or os.devnull)
        self._code = code
        self._place = place
        self._tree: str | None = None
        if code.root is None:
            raise CannotRebuild(f"{code.name!r} is in no repository")
        if not self.root.is_dir():
            raise CannotRebuild(f"the repository of {code.name!r}, {str(self.root)!r}, is not here")
        try:
            stand_in = StandIn(Git(self.root, TIMEOUT_S), place)
        except (ValueError, GitTooSlow) as error:
            raise CannotRebuild(f"the repository of {code.name!r}, {str(self.root)!r}: {error}") from None
        self.root, self.common, self.original = stand_in.root, stand_in.common, stand_in.objects
        self._own = stand_in.environment | {"GIT_INDEX_FILE": str(place / f"index-{len(list(place.iterdir()))}")}
        self._build()

    def tree(self) -> str:
        """Return the id of the tree."""
        if self._tree is None:
            self._tree = self.git("write-tree").decode().strip()
        return self._tree

    def first_commit(self) -> bytes:
        """Return the ids of the first commits, which are the same in every clone."""
        return self.git("rev-list", "--max-parents=0", "HEAD")

    def path_of(self, name: str) -> Path | None:
        """Return a file of the repository's `.git` folder; None if it is not there."""
        path = self.common / name
        return path if path.is_file() else None

    def large_file(self, sha256: str) -> Path | None:
        """Return the content of a file that Git LFS manages; None if it was not fetched."""
        return self.path_of(f"lfs/objects/{sha256[:2]}/{sha256[2:4]}/{sha256}")

    def git(self, *arguments: str, stdin: bytes = b"", index: Path | None = None) -> bytes:
        """Run git in the repository and return what it prints; `index` is a file to use in place of the tree's own.

        Raises:
            CannotRebuild: git fails.
        """
        settings = [part for setting in SAFE_SETTINGS for part in ("-c", setting)]
        own = {"GIT_INDEX_FILE": str(index)} if index is not None else {}
        environment = git_environment(**{**self._own, **own})
        try:
            done = subprocess.run(
                [*LIMITED, "git", *settings, *arguments], cwd=self.root, env=environment, input=stdin,
                capture_output=True, check=False, timeout=GIT_SECONDS,
            )  # fmt: skip
        except OSError as error:
            raise CannotRebuild(f"git can't be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            told = f"git {arguments[0]} of {self._code.name!r} took more than {GIT_SECONDS} s"
            raise CannotRebuild(told) from None
        if done.returncode:
            reason = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
            raise CannotRebuild(f"git {arguments[0]} of {self._code.name!r}: {reason}")
        return done.stdout

    def _build(self) -> None:
        commit = self._code.commit
        if commit:
            try:
                self.git("cat-file", "-e", f"{commit}^{{commit}}")
            except CannotRebuild:
                raise CannotRebuild(f"the commit {commit[:12]} is not in {str(self.root)!r} any more") from None
        self.git("read-tree", commit) if commit else self.git("read-tree", "--empty")
        patch = self._code.of(PATCH).get(PATCH)
        if patch:
            self.git("apply", "--cached", "--whitespace=nowarn", "-", stdin=patch)
        untracked = self._code.of(UNTRACKED)
        if untracked:
            blobs = self._blobs(dict.fromkeys(untracked.values()))
            entries = [f"{FILE_MODE} {blobs[data]}\t{path}\0" for path, data in untracked.items()]
            self.git("update-index", "--add", "-z", "--index-info", stdin=os.fsencode("".join(entries)))

    def _blobs(self, contents: Iterable[bytes]) -> dict[bytes, str]:
        """Write contents as objects of git, with one process for all of them; return their ids."""
        with tempfile.TemporaryDirectory(dir=self._place) as folder:
            paths = {os.path.join(folder, str(number)): data for number, data in enumerate(contents)}
            for path, data in paths.items():
                Path(path).write_bytes(data)
            told = self.git("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=os.fsencode("\n".join(paths)))
        return dict(zip(paths.values(), told.decode().split(), strict=True))


def _unknown_parts(run: RecordedRun) -> Iterator[str]:
    """Tell what is not known of a run's code, and why."""
    state = run.environment.get("git", {})
    kept = [name for name in ARTIFACTS if _artifact(run, name) is not None]
    if state.get("changed_files") and not kept and not run.missing:
        yield f"the code of {run.name} is not fully known: {state['changed_files']} changed files are not on record"
    for item in run.missing:
        what, why = str(item.get("what")), str(item.get("why"))
        if "reproduced" in why or what.startswith("code") or what in LOST:
            yield f"the code of {run.name} is not fully known: {what}: {why}"
    for name in ARTIFACTS:
        artifact = _artifact(run, name)
        members = artifact.members if artifact and artifact.is_folder else ()
        hashes = [member.sha256 for member in members] or [artifact.sha256 or "" if artifact else ""]
        lost = [sha for sha in hashes if artifact and sha and not artifact.blobs.holds(sha)]
        if artifact and max(artifact.size or 0, sum(member.size for member in members)) > MAX_CODE_BYTES:
            yield f"the code of {run.name} is not fully known: {name!r} has more than {MAX_CODE_BYTES >> 20} MiB"
        if lost:
            yield f"the code of {run.name} is not fully known: the content of {name!r} is not in the store any more"


def _artifact(run: RecordedRun, name: str) -> Artifact | None:
    return next((item for item in reversed(run.artifacts) if item.kind == "code" and item.name == name), None)


def _recorded(run: RecordedRun, name: str, notes: list[str]) -> dict[str, bytes]:
    """Return the files of a code artifact that the store still has; `notes` are told of those that can't be read."""
    item = _artifact(run, name)
    if item is None:
        return {}
    wanted = {name: item.sha256 or ""} if not item.is_folder else {file.path: file.sha256 for file in item.members}
    found = {}
    left = MAX_CODE_BYTES
    unread = 0
    for path, sha256 in wanted.items():
        try:
            found[path] = item.blobs.read(sha256, left)
            left -= len(found[path])
        except ArtifactNotFound:
            unread += is_sha256(sha256) and item.blobs.holds(sha256)
    if unread:
        why = f"damaged, or larger than {MAX_CODE_BYTES >> 20} MiB in all"
        notes.append(f"the code of {run.name} is not fully known: {count_text(unread, 'file')} of {name!r}: {why}")
    return found
