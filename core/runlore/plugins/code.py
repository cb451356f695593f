"""The built-in plugin that keeps the code that git does not have, or the loaded modules where there is no git."""

import fnmatch
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from types import ModuleType

from runlore._settings import present_folder
from runlore.hookspecs import CapturedFile, CaptureRequest, hookimpl
from runlore.plugins.git import Git, GitTooSlow, Status, code_folder, is_installed

PATCH = "uncommitted.patch"
UNTRACKED = "untracked"  # the artifact of source files that git does not know
SNAPSHOT = "source"  # the artifact of source files where there is no git
MAX_FILE_BYTES = 1 << 20  # of a source file; a larger one is named, not kept
MAX_PATCH_BYTES = 8 << 20
MAX_FILES = 500
MAX_TOTAL_BYTES = 16 << 20  # of all source files together
LIMITS = f"more than {MAX_FILE_BYTES >> 20} MiB, or than {MAX_FILES} files or {MAX_TOTAL_BYTES >> 20} MiB in all"
CLOCK_LAG_S = 0.01  # by which the clock of a file system may lag behind

SOURCE_SUFFIXES = frozenset(
    ".py .pyi .pyx .pxd .ipynb .c .cc .cpp .cu .cuh .h .hpp .rs .go .java .scala .jl .r .lua .js .ts .sh .bash .sql "
    ".toml .yaml .yml .cfg .ini .json .gin .jsonnet .proto .md .rst .txt".split()
)
PROGRAM_SUFFIXES = SOURCE_SUFFIXES.difference(".toml .yaml .yml .cfg .ini .json .gin .jsonnet .md .rst .txt".split())
SOURCE_NAMES = frozenset(["Makefile", "Dockerfile", "Snakefile", "Pipfile"])
SECRET_NAMES = (  # patterns of files that are never kept
    ".env .env.* *.env .envrc .netrc .pgpass .pypirc .npmrc *.pem *.key *.p12 *.pfx *.jks *.keystore *.kdbx *.asc "
    "*.gpg id_rsa* id_dsa* id_ecdsa* id_ed25519* *credentials* *secret* .htpasswd *.tfvars *.tfstate"
).split()


@hookimpl
def runlore_capture_files(request: CaptureRequest) -> list[CapturedFile]:
    """Return the code that git does not have; the loaded modules of the user where there is no git."""
    folder = code_folder()
    return code_files(folder, request.timeout, lambda: loaded_sources(folder), request.since)


def code_files(
    folder: Path, timeout: float, without_git: Callable[[], set[str]], since: float = math.inf
) -> list[CapturedFile]:
    """Return the code of a folder that git does not have; the sources that `without_git` names where there is no git.

    Untracked settings and texts that were written after `since`, the start of the run, are its results: they are left
    out. `timeout` is in seconds.
    """
    git = Git(folder, timeout)
    try:
        root = git.text("rev-parse", "--show-toplevel")
        if root is None:
            paths = without_git()
            found = list(_sources(folder, sorted(paths), SNAPSHOT, named=paths))
            if any((place / ".git").exists() for place in (folder, *folder.parents)):
                found.append(_withheld("git", "there is a repository, but git is not installed or refuses to read it"))
            return found
        git.folder = Path(root)
        status = git.status()
        return list(_changes(git, status, since)) if status is not None else []
    except GitTooSlow as error:
        return [_withheld("the code", str(error))]


def _changes(git: Git, status: Status, since: float) -> Iterator[CapturedFile]:
    """Yield a patch of the tracked files, and the content of notebooks and untracked sources."""
    tracked = [item.path for item in status.changed if item.tracked]
    hidden = [path for path in tracked if is_secret(path)]
    notebooks = [path for path in tracked if path.endswith(".ipynb") and path not in hidden]
    for path in hidden:
        yield _withheld(path, "its name tells of secrets: its changes are not kept, the run can't be reproduced")
    large = _too_large(git, [path for path in tracked if path not in hidden])
    for path in large:
        yield _withheld(
            path, f"over {MAX_FILE_BYTES >> 20} MiB and no source: its change is not kept, the run can't be reproduced"
        )
    left_out = {*hidden, *notebooks, *large}
    if set(tracked) - left_out:
        yield _patch(git, status, sorted(left_out))
    untracked = [
        item.path
        for item in status.changed
        if not item.tracked
        and not is_installed(f"{git.folder}/{item.path}")
        and (is_program(item.path) or not _is_written_after(git.folder / item.path, since))
    ]
    yield from _sources(git.folder, sorted(notebooks + untracked), UNTRACKED, named=set(notebooks))


def _too_large(git: Git, paths: list[str]) -> list[str]:
    """Return the changed files that are too large for the patch and no sources, such as data."""
    found = []
    for path in paths:
        place = git.folder / path
        if not is_source(path) and place.is_file() and place.stat().st_size > MAX_FILE_BYTES:
            found.append(path)
    return found


def _patch(git: Git, status: Status, left_out: list[str]) -> CapturedFile:
    base = status.commit or git.text("hash-object", "-t", "tree", os.devnull) or "HEAD"
    paths = [f":(top,exclude,literal){path}" for path in left_out]
    options = "--no-color --no-ext-diff --no-textconv --binary --full-index --submodule=short --unified=3 --no-relative"
    command = ["diff", *options.split(), "--ignore-submodules=dirty", "--src-prefix=a/", "--dst-prefix=b/"]
    content = git.ask(*command, base, "--", ":(top)", *paths, limit=MAX_PATCH_BYTES)
    if content is None:
        return _withheld(PATCH, "git could not tell the difference from the last commit")
    if len(content) > MAX_PATCH_BYTES:
        return _withheld(PATCH, f"more than {MAX_PATCH_BYTES >> 20} MiB: the run can't be reproduced")
    return CapturedFile(PATCH, content, "code")


def loaded_sources(folder: Path) -> set[str]:
    """Return the paths below `folder` of the script and of the user's loaded modules."""
    paths = set()
    below, here = f"{folder}{os.sep}", f"{present_folder()}{os.sep}"
    for module in list(sys.modules.values()):
        name = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        if not isinstance(name, str) or not name.endswith(".py"):
            continue
        name = name if name.startswith(os.sep) else here + name
        if name.startswith(below) and not is_installed(name):  # this thread should not hold up the training's
            path = Path(os.path.normpath(name))
            if path.is_relative_to(folder) and path.is_file():
                paths.add(path.relative_to(folder).as_posix())
    return paths


def _sources(root: Path, paths: list[str], artifact: str, *, named: set[str]) -> Iterator[CapturedFile]:
    """Yield the source files among `paths`, within the limits.

    Of the others, the run says why it lacks them where they are in `named`, or are Python.
    """
    count = size = 0
    for path in paths:
        source = root / path
        if not is_source(path):
            continue
        if is_secret(path):
            yield _withheld(
                path, "its name tells of secrets: it is not kept, and the run may not be reproduced without it"
            )
            continue
        if path.endswith(".ipynb") and path in named and not source.exists():
            yield _withheld(path, "it was deleted since the last commit, which is not kept of a notebook")
        if source.is_symlink() or not source.is_file():
            continue
        length = source.stat().st_size
        if length > MAX_FILE_BYTES or count == MAX_FILES or size + length > MAX_TOTAL_BYTES:
            if path in named or source.suffix == ".py":
                yield _withheld(path, f"{LIMITS}: the run can't be reproduced")
            continue
        try:
            content = source.read_bytes()
            if path.endswith(".ipynb"):
                content = without_outputs(content)
        except (OSError, ValueError) as error:
            yield _withheld(path, f"{type(error).__name__}: {error}")
            continue
        count += 1
        size += len(content)
        yield CapturedFile(path, content, "code", folder=artifact)


def without_outputs(notebook: bytes) -> bytes:
    """Return a Jupyter notebook without its outputs.

    Raises:
        ValueError: it is no notebook.
    """
    found = json.loads(notebook)
    if not isinstance(found, dict):
        raise ValueError("no notebook")
    for cell in found.get("cells") or []:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            cell.update(outputs=[], execution_count=None)
            cell.pop("attachments", None)
    return json.dumps(found, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass")


def is_source(path: str) -> bool:
    """Return True if a file is source code or configuration by its name."""
    pure = PurePosixPath(path)
    return pure.suffix.lower() in SOURCE_SUFFIXES or pure.name in SOURCE_NAMES


def is_program(path: str) -> bool:
    """Return True if a file is source code by its name, not settings, text or data."""
    pure = PurePosixPath(path)
    return pure.suffix.lower() in PROGRAM_SUFFIXES or pure.name in SOURCE_NAMES


def _is_written_after(path: Path, since: float) -> bool:
    try:
        return path.stat().st_mtime > since - CLOCK_LAG_S
    except OSError:
        return False


def is_secret(path: str) -> bool:
    """Return True if a file holds secrets by its name."""
    name = PurePosixPath(path).name.lower()
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in SECRET_NAMES)


def _withheld(name: str, why: str) -> CapturedFile:
    return CapturedFile(name, b"", "code", withheld=why)
