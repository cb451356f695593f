"""Asking git about the repository that a process works in, as a guest: no lock, no hooks, no questions, no lasting."""

import os
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TIMEOUT = 5.0  # for one provider, and for a run that waits for its captures when it ends

# Of the variables that git reads, those that would make it look at another repository, or answer in another form.
LEADING_ASTRAY = (
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR "
    "GIT_NAMESPACE GIT_PREFIX GIT_DIFF_OPTS GIT_EXTERNAL_DIFF GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS "
    "GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS GIT_TRACE"
).split()


# Nothing is fetched where a partial clone lacks something, by whatever program its settings name.
OFFLINE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}


def git_environment(**settings: str) -> dict[str, str]:
    """The environment for a git that takes no lock, asks nobody, and reads the repository where it is started."""
    kept = {name: value for name, value in os.environ.items() if name not in LEADING_ASTRAY}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **OFFLINE, **settings}


class GitTooSlow(Exception):
    """git did not answer in time."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A file that differs from the last commit; `tracked` is false for one that git does not know."""

    path: str
    tracked: bool


class Git:
    """A repository. `timeout` is for all questions together.

    Methods return None where git says no, and raise GitTooSlow where it takes too long.
    """

    def __init__(self, folder: Path, timeout: float) -> None:
        self.folder = folder
        self._until = time.monotonic() + timeout
        self._timeout = timeout

    def ask(self, *arguments: str, limit: int = 64 << 20) -> bytes | None:
        """What a git command prints, up to `limit` bytes and one; None where git is missing or says no.

        Raises:
            GitTooSlow: the time is up.
        """
        import subprocess

        command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotepath=false", *arguments]
        try:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=git_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return None
        with process:
            try:
                answer = self._read(process.stdout.fileno(), limit) if process.stdout else b""
                whole = len(answer) <= limit
                if not whole:
                    process.kill()
                status = process.wait(max(0.1, self._until - time.monotonic()))
            except (GitTooSlow, subprocess.TimeoutExpired):
                process.kill()
                raise GitTooSlow(f"git {arguments[0]} took longer than {self._timeout:.0f} s") from None
        return answer if status == 0 or not whole else None

    def text(self, *arguments: str) -> str | None:
        """What a git command prints, as text without the last line break."""
        answer = self.ask(*arguments)
        return None if answer is None else answer.decode("utf-8", "surrogateescape").rstrip("\n")

    def status(self) -> "Status | None":
        """Commit, branch, and what differs from it; None outside a repository."""
        options = ["--porcelain=v2", "--branch", "--untracked-files=all", "-z", "--ignore-submodules=dirty"]
        answer = self.text("status", *options)
        if answer is None:
            return None
        commit = branch = None
        changed = []
        parts = iter(answer.split("\0"))
        for part in parts:
            kind, _, rest = part.partition(" ")
            if part.startswith("# branch.oid "):
                commit = None if rest.endswith("(initial)") else rest.rpartition(" ")[2]
            elif part.startswith("# branch.head "):
                branch = rest.partition(" ")[2]
            elif kind == "?":
                changed.append(Changed(rest, tracked=False))
            elif kind in ("1", "u"):
                changed.append(Changed(rest.split(" ", 7 if kind == "1" else 9)[-1], tracked=True))
            elif kind == "2":
                changed.append(Changed(rest.split(" ", 8)[-1], tracked=True))
                next(parts, None)  # the old name
        return Status(commit, branch, tuple(changed))

    def _read(self, descriptor: int, limit: int) -> bytes:
        import select

        pieces = []
        size = 0
        while size <= limit:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, self._until - time.monotonic()))
            if not ready:
                raise GitTooSlow
            piece = os.read(descriptor, 1 << 20)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a repository. `changed` has paths from its root."""

    commit: str | None
    branch: str | None
    changed: tuple[Changed, ...]


def code_folder() -> Path:
    """Where the code that runs lies: the script's folder, or the working directory where no script of the user runs.

    Of a module that runs by `python -m`, the folder that its package lies in.
    """
    main = sys.modules.get("__main__")
    script = getattr(main, "__file__", None)
    if script:
        path = Path(script).absolute()
        if path.exists() and not is_installed(str(path)):
            package = getattr(main, "__package__", None) or ""
            return path.parents[min(len(package.split(".")) if package else 0, len(path.parents) - 1)]
    return Path.cwd()


def is_installed(path: str) -> bool:
    """Whether a file belongs to Python or a package, not to the user; by its text, as it is asked of thousands."""
    return "/site-packages/" in path or "/dist-packages/" in path or path.startswith(_prefixes())


@cache
def _prefixes() -> tuple[str, ...]:
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, "/usr/lib", "/usr/bin", "/usr/share"} - {"/usr", "/"}
    return tuple(f"{prefix}/" for prefix in sorted(prefixes))
