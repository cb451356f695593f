"""Questions to git about the repository of the running code: no lock is taken, no hook runs, nobody is prompted."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from runlore._frozen import Frozen, late
from runlore._settings import present_folder
from runlore._standing import module_values

TIMEOUT_S = 5.0  # of all questions that one caller asks

# Variables that would make git look at another repository, or answer in another form.
MISLEADING_VARIABLES = (
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR "
    "GIT_NAMESPACE GIT_PREFIX GIT_DIFF_OPTS GIT_EXTERNAL_DIFF GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS "
    "GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS GIT_TRACE"
).split()

# The kinds of changed files in git's status, and the number of fields before their path.
FIELDS = {"1": 7, "u": 9, "2": 8}

SUBMODULE = "160000 "  # the mode of a submodule in git's index
MAX_PATHS = 200  # in one question

# No program watches for changes, and no bare repository counts that is part of a working tree.
SAFELY = ("-c", "core.fsmonitor=false", "-c", "core.quotepath=false", "-c", "safe.bareRepository=explicit")

# A partial clone fetches nothing that it lacks.
OFFLINE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}


def git_environment(**settings: str) -> dict[str, str]:
    """Return the environment of a git that takes no lock, prompts nobody, and reads the repository of its folder."""
    kept = {name: value for name, value in os.environ.items() if name not in MISLEADING_VARIABLES}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **OFFLINE, **settings}


def find_program(name: str) -> str | None:
    """Return the path of a program on PATH; None where there is none.

    `os.get_exec_path`, which Popen calls, makes Python forget which warnings it has shown; shutil is slow to import.
    """
    folders = filter(None, os.environ.get("PATH", os.defpath).split(os.pathsep))
    places = (f"{folder}/{name}" for folder in folders)
    return next((place for place in places if os.path.isfile(place) and os.access(place, os.X_OK)), None)  # noqa: PTH113


def root_of(folder: Path) -> Path | None:
    """Return the folder with the `.git` that a folder belongs to, as git sees it; None where there is none."""
    real = folder.resolve()
    return next((place for place in (real, *real.parents) if os.path.lexists(f"{place}/.git")), None)


class GitTooSlow(Exception):
    """git did not answer in time."""


class Changed(NamedTuple):
    """A file that differs from the last commit; `tracked` is false for one that git does not know.

    `inside` is true for a submodule in which files differ from its own last commit; it counts as not tracked if these
    are only files that it does not know.
    """

    path: str
    tracked: bool
    inside: bool = False


class Git:
    """Asks git about a repository; `timeout` is in seconds, for all questions together.

    `settings` are environment variables of git's. `submodules_by` is what counts as a change of a submodule: a value of
    git's `--ignore-submodules`.

    Methods return None outside a repository, where no process is started, and where git is missing or fails; they raise
    GitTooSlow once the time is up.
    """

    submodules_by = "none"

    def __init__(self, folder: Path, timeout: float, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self.folder = folder
        self.until = time.monotonic() + timeout
        self.timeout = timeout
        self.settings = settings
        self.is_in_repository = root_of(folder) is not None

    def at(self, folder: Path) -> "Git":
        """Return what asks about another repository, with what is left of the time."""
        other = Git(folder, self.timeout)
        other.until = self.until
        return other

    def ask(self, *arguments: str, limit: int = 64 << 20) -> bytes | None:
        """Return the output of a git command; more than `limit` bytes are cut to a bit more than that.

        Raises:
            GitTooSlow: the time is up.
        """
        if not self.is_in_repository:
            return None
        import subprocess

        program = find_program("git")
        if program is None:
            return None
        command = [program, *SAFELY, *arguments]
        try:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=git_environment(**self.settings),
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
                status = process.wait(max(0.1, self.until - time.monotonic()))
            except (GitTooSlow, subprocess.TimeoutExpired):
                process.kill()
                raise GitTooSlow(f"git {arguments[0]} took longer than {self.timeout:.0f} s") from None
        return answer if status == 0 or not whole else None

    def text(self, *arguments: str) -> str | None:
        """Return the output of a git command as text, without the last line break."""
        answer = self.ask(*arguments)
        return None if answer is None else answer.decode("utf-8", "surrogateescape").rstrip("\n")

    def status(self) -> "Status | None":
        """Return the state of the working tree; None outside a repository."""
        wanted = "status --porcelain=v2 --branch --untracked-files=all -z"
        answer = self.text(*wanted.split(), f"--ignore-submodules={self.submodules_by}")
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
            elif kind in FIELDS:
                sides, submodule, *_, path = rest.split(" ", FIELDS[kind])
                inside = submodule[0] == "S" and submodule[2:] != ".."
                only_new = submodule == "S..U" and sides[0] == "."
                changed.append(Changed(path, tracked=not only_new, inside=inside))
                if kind == "2":
                    next(parts, None)  # the name before it was renamed
        return Status(commit, branch, tuple(changed))

    def tracked(self, paths: Sequence[str]) -> set[str]:
        """Return those of some paths from the root that git tracks."""
        found: set[str] = set()
        for begin in range(0, len(paths), MAX_PATHS):
            some = [f":(top,literal){path}" for path in paths[begin : begin + MAX_PATHS]]
            found.update((self.text("ls-files", "-z", "--full-name", "--", *some) or "").split("\0"))
        return found

    def submodules(self) -> list[str]:
        """Return the paths of the submodules."""
        entries = (self.text("ls-files", "-z", "--stage", "--full-name", "--", ":(top)") or "").split("\0")
        return [entry.partition("\t")[2] for entry in entries if entry.startswith(SUBMODULE)]

    def _read(self, descriptor: int, limit: int) -> bytes:
        import select

        pieces = []
        size = 0
        while size <= limit:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, self.until - time.monotonic()))
            if not ready:
                raise GitTooSlow
            piece = os.read(descriptor, 1 << 20)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)


@late
class Status(Frozen):
    """The commit and branch of a working tree, and its changed files with paths from the root."""

    commit: str | None
    branch: str | None
    changed: tuple[Changed, ...]


def code_folder() -> Path:
    """Return the folder of the script that runs; the working directory where no script of the user runs.

    For a module that runs by `python -m`, it is the folder that contains its package.
    """
    main = module_values("__main__")
    script = main.get("__file__")
    if isinstance(script, str):
        path = Path(script).absolute()
        is_ours = Path(__file__).parent.parent in path.parents  # `runlore run` of what is no Python
        if path.exists() and not is_ours and not is_installed(str(path)):
            package = str(main.get("__package__") or "")
            return path.parents[min(len(package.split(".")) if package else 0, len(path.parents) - 1)]
    return present_folder()


def is_installed(path: str) -> bool:
    """Return True if a file belongs to Python or a package. Only its path is looked at, as thousands are asked for."""
    return "/site-packages/" in path or "/dist-packages/" in path or path.startswith(_prefixes())


@cache
def _prefixes() -> tuple[str, ...]:
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, "/usr/lib", "/usr/bin", "/usr/share"} - {"/usr", "/"}
    return tuple(f"{prefix}/" for prefix in sorted(prefixes))
