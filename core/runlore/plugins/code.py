"""The built-in plugin that keeps the code that ran and that git does not have."""

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from runlore.hookspecs import CapturedFile, CaptureRequest, hookimpl
from runlore.plugins.git import Git, GitTooSlow, Status, code_folder, is_installed
from runlore.plugins.modules import Loaded, loaded_modules, script_file
from runlore.plugins.typed import is_notebook, reloads, run_files, typed_code

PATCH = "uncommitted.patch"
UNTRACKED = "untracked"  # the artifact of source files that git does not know
SNAPSHOT = "source"  # the artifact of source files where there is no git
SUBMODULES = "submodules"  # the artifact of source files in submodules: those that differ, and those of loaded modules
IMPORTED = "imported"  # the artifact of loaded modules from elsewhere, with their paths from where they were imported
SOURCES = (UNTRACKED, SUBMODULES, SNAPSHOT, IMPORTED)
MAX_FILE_BYTES = 1 << 20  # of a source file; a larger one is named, not kept
MAX_PATCH_BYTES = 8 << 20
MAX_FILES = 500
MAX_TOTAL_BYTES = 16 << 20  # of all source files together
LIMITS = f"more than {MAX_FILE_BYTES >> 20} MiB, or than {MAX_FILES} files or {MAX_TOTAL_BYTES >> 20} MiB in all"
MAX_IMPORTED_FILES = 200  # of loaded modules from elsewhere: large packages are known by the commit of their repository
MAX_IMPORTED_BYTES = 1 << 20
COMMIT = ".commit"  # ends the name of the file, in IMPORTED, that tells the commit of such a package
MAX_NAMED = 10  # of the files beyond these limits
CLOCK_LAG_S = 0.01  # by which the clock of a file system may lag behind

SOURCE_SUFFIXES = frozenset(
    ".py .pyi .ipy .pyx .pxd .ipynb .c .cc .cpp .cu .cuh .h .hpp .rs .go .java .scala .jl .r .lua .js .ts .sh .bash "
    ".sql .toml .yaml .yml .cfg .ini .json .gin .jsonnet .proto .md .rst .txt".split()
)
PROGRAM_SUFFIXES = SOURCE_SUFFIXES.difference(".toml .yaml .yml .cfg .ini .json .gin .jsonnet .md .rst .txt".split())
SOURCE_NAMES = frozenset(["Makefile", "Dockerfile", "Snakefile", "Pipfile"])
# The names of files that are never kept, their beginnings, their ends, and parts of them.
SECRET_NAMES = frozenset(".env .envrc .netrc .pgpass .pypirc .npmrc .htpasswd".split())
SECRET_STARTS = (".env.", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519")
SECRET_ENDS = tuple(".env .pem .key .p12 .pfx .jks .keystore .kdbx .asc .gpg .tfvars .tfstate".split())
SECRET_PARTS = ("credentials", "secret")


@hookimpl
def runlore_capture_files(request: CaptureRequest) -> list[CapturedFile]:
    """Return the code that git does not have, wherever it was loaded from, and what was typed."""
    found = [*code_files(Git(code_folder(), request.timeout), _loaded, request.since), *typed_code()]
    if is_notebook() and not reloads():
        from runlore.plugins.reloading import outdated  # which no script needs

        found += outdated(loaded_modules())
    return found


@hookimpl
def runlore_capture_late_files(request: CaptureRequest) -> list[CapturedFile]:
    """Return the modules that were imported since the run began and are not in git, and a notebook's cells."""
    found: list[CapturedFile] = []
    if is_notebook():
        from runlore.plugins.reloading import loaded_again

        found += typed_code()
        found += loaded_again(loaded_modules(), request.since, by_itself=reloads())
    loaded = _loaded(request.modules or ())
    if loaded:
        folder = code_folder()
        git = Git(folder, request.timeout)
        try:
            root = git.text("rev-parse", "--show-toplevel")
            git.folder = Path(root or folder)
            edited = _edited(git if root else None, loaded, request.since)
            loaded = [item for item in loaded if item.path not in edited]
            found += edited.values()
            found += _loaded_files(git, _sorted_out(git, loaded) if root else _sorted_by_folder(folder, loaded))
        except GitTooSlow as error:
            found.append(_withheld("code that was imported later", str(error)))
    return found


def _edited(git: Git | None, loaded: Iterable[Loaded], since: float) -> dict[str, CapturedFile]:
    """Return what to tell, by path, of late modules whose files were written while the run was open.

    Those that git tracks were captured as they had been.
    """
    new = [item for item in loaded if _is_written_after(Path(item.path), since)]
    if not new:
        return {}
    from runlore.plugins.reloading import edited_late  # which few need

    names = {} if git is None else {item.path: item.below_by_links(str(git.folder)) for item in new}
    tracked = git.tracked([name for name in names.values() if name is not None]) if git is not None else frozenset()
    return edited_late(new, {path for path, name in names.items() if name in tracked}, since)


def _loaded(names: Iterable[str] | None = None) -> list[Loaded]:
    return [*loaded_modules(names), *run_files()]


def code_files(git: Git, loaded: Callable[[], list[Loaded]], since: float = math.inf) -> list[CapturedFile]:
    """Return the code of a folder that git does not have, and the sources of the modules that are `loaded`.

    Untracked settings and texts that were written after `since`, the start of the run, are its results: they are left
    out.
    """
    folder = git.folder
    try:
        root = git.text("rev-parse", "--show-toplevel")
        if root is None:
            found = list(_loaded_files(git, _sorted_by_folder(folder, loaded())))
            if any((place / ".git").exists() for place in (folder, *folder.parents)):
                found.append(_withheld("git", "there is a repository, but git is not installed or refuses to read it"))
            return found
        git.folder = Path(root)
        status = git.status()
        if status is None:
            return [_withheld("the code", "git could not tell the state of the repository")]
        return list(_in_repository(git, status, loaded(), since))
    except GitTooSlow as error:
        return [_withheld("the code", str(error))]


class Budget:
    """Counts down the limits of one capture."""

    def __init__(self, files: int = MAX_FILES, size: int = MAX_TOTAL_BYTES) -> None:
        self.files = files
        self.size = size


class LoadedFiles:
    """Lists files of loaded modules that git does not have, by artifact and by the name that they are kept under.

    `unkept` tells of those that can't be kept.
    """

    def __init__(self) -> None:
        self.of: dict[str, dict[str, Path]] = {name: {} for name in SOURCES}
        self.unkept: list[CapturedFile] = []

    def add(self, artifact: str, name: str, item: Loaded) -> None:
        """Add a file, or the reason why it is not kept."""
        if item.archive is not None:
            self.unkept.append(_withheld(name, f"it lies in {item.archive!r}, which is not kept"))
        elif item.is_compiled:
            self.unkept.append(_withheld(name, "it is compiled, and what it was made of is not known"))
        else:
            self.of[artifact][name] = Path(item.path)


def _in_repository(git: Git, status: Status, loaded: list[Loaded], since: float) -> Iterator[CapturedFile]:
    """Yield what the last commit of a repository lacks, and the sources that were loaded from elsewhere."""
    yield from _changes(git, status)
    found = _sorted_out(git, loaded)
    notebooks = [item.path for item in status.changed if item.tracked and item.path.endswith(".ipynb")]
    notebooks = [path for path in notebooks if not is_secret(path)]
    untracked = [item.path for item in status.changed if not item.tracked and _is_own(git.folder, item.path, since)]
    inside: list[str] = []
    for item in status.changed:
        for change in _changes_inside(git, item.path, since) if item.inside else ():
            (inside if isinstance(change, str) else found.unkept).append(change)  # type: ignore[arg-type]
    named = {*notebooks, *inside, *(name for files in found.of.values() for name in files)}
    for artifact, paths in ((UNTRACKED, notebooks + untracked), (SUBMODULES, inside)):
        found.of[artifact] |= {path: git.folder / path for path in paths}
    yield from _loaded_files(git, found, named)


def _loaded_files(git: Git, found: LoadedFiles, named: set[str] | None = None) -> Iterator[CapturedFile]:
    yield from found.unkept
    budget = Budget()
    for artifact, files in found.of.items():
        if artifact != IMPORTED:
            yield from _sources(files, artifact, budget, named=set(files) if named is None else named)
    yield from _imported(git, found.of[IMPORTED])


def _imported(git: Git, files: Mapping[str, Path]) -> Iterator[CapturedFile]:
    """Yield the modules from elsewhere, small packages first; of those beyond the limits, what their repository tells.

    To look for secrets in them takes a second for two megabytes.
    """
    budget = Budget(MAX_IMPORTED_FILES, MAX_IMPORTED_BYTES)
    packages: dict[str, dict[str, Path]] = {}
    for name, path in files.items():
        packages.setdefault(name.partition("/")[0], {})[name] = path
    sizes = {package: sum(map(_size, own.values())) for package, own in packages.items()}
    for package in sorted(packages, key=lambda package: (sizes[package], package)):
        own = packages[package]
        if sizes[package] <= budget.size and len(own) <= budget.files:
            yield from _sources(own, IMPORTED, budget, named=set(own))
        else:
            yield from _by_commit(git, package, own, budget)


def _by_commit(git: Git, package: str, files: Mapping[str, Path], budget: Budget) -> Iterator[CapturedFile]:
    """Yield the commit of a package's own repository, and those of its files that differ from it."""
    places = {name: path.resolve() for name, path in files.items()}
    other = git.at(next(iter(places.values())).parent)
    root = other.text("rev-parse", "--show-toplevel")
    other.folder = Path(root or other.folder)
    status = other.status() if root else None
    if status is None or status.commit is None:
        limits = (
            f"{len(files)} modules from elsewhere, beyond {MAX_IMPORTED_FILES} files or {MAX_IMPORTED_BYTES >> 20} MiB"
        )
        yield _withheld(package, f"{limits}, and in no repository")
        return
    paths = {
        name: path.relative_to(other.folder).as_posix()
        for name, path in places.items()
        if path.is_relative_to(other.folder)
    }
    changed = {item.path for item in status.changed}
    same = other.tracked(list(paths.values())) - changed
    differing = {name: path for name, path in places.items() if paths.get(name) not in same}
    origin = other.text("config", "--get", "remote.origin.url") or root
    told = f"commit {status.commit}\nof {origin}\n"
    yield CapturedFile(f"{package}{COMMIT}", told.encode("utf-8", "surrogateescape"), "code", folder=IMPORTED)
    yield from _sources(differing, IMPORTED, budget, named=set(differing))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _sorted_by_folder(folder: Path, loaded: list[Loaded]) -> LoadedFiles:
    """Sort loaded modules by whether they lie in the folder of the script."""
    found = LoadedFiles()
    for item in loaded:
        name = item.below(str(folder))
        found.add(IMPORTED if name is None else SNAPSHOT, name or item.name, item)
    return found


def _sorted_out(git: Git, loaded: list[Loaded]) -> LoadedFiles:
    """Sort the loaded modules that the repository does not track by where they lie."""
    found = LoadedFiles()
    inside = {}
    for item in loaded:
        name = item.below_by_links(str(git.folder))
        if name is None:
            found.add(IMPORTED, item.name, item)
        else:
            inside[name] = item
    unknown = sorted(inside.keys() - git.tracked(list(inside)))
    submodules = tuple(f"{path}/" for path in git.submodules()) if unknown else ()
    for name in unknown:
        found.add(SUBMODULES if name.startswith(submodules) else UNTRACKED, name, inside[name])
    return found


def _changes_inside(git: Git, path: str, since: float) -> Iterator[str | CapturedFile]:
    """Yield the sources in a submodule that differ from its last commit, and what is not kept of its changes."""
    submodule = git.at(git.folder / path)
    status = submodule.status()
    if status is None:
        yield _withheld(path, "git could not tell what has changed in this submodule")
        return
    for item in status.changed:
        name = f"{path}/{item.path}"
        if item.inside:
            yield from _changes_inside(git, name, since)
        elif item.tracked and not (is_source(name) and (git.folder / name).is_file()):
            yield _withheld(name, "it has changed in a submodule and is no source file: its change is not kept")
        elif item.tracked or _is_own(submodule.folder, item.path, since):
            yield name


def _is_own(root: Path, path: str, since: float) -> bool:
    """Return True if a file that git does not know is the user's, and no result of the run."""
    return not is_installed(f"{root}/{path}") and (is_program(path) or not _is_written_after(root / path, since))


def _changes(git: Git, status: Status) -> Iterator[CapturedFile]:
    """Yield a patch of the tracked files, and tell of those that are not in it."""
    tracked = [item.path for item in status.changed if item.tracked]
    hidden = [path for path in tracked if is_secret(path)]
    notebooks = [path for path in tracked if path.endswith(".ipynb") and path not in hidden]
    for path in hidden:
        yield _withheld(path, "its name tells of secrets: its changes are not kept")
    large = _too_large(git, [path for path in tracked if path not in hidden])
    for path in large:
        yield _withheld(path, f"over {MAX_FILE_BYTES >> 20} MiB and no source: its change is not kept")
    left_out = {*hidden, *notebooks, *large}
    if set(tracked) - left_out:
        patch = _patch(git, status, sorted(left_out))
        if patch.content or patch.withheld is not None:  # else nothing but the inside of submodules
            yield patch


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
        return _withheld(PATCH, f"more than {MAX_PATCH_BYTES >> 20} MiB")
    return CapturedFile(PATCH, content, "code")


def _sources(files: Mapping[str, Path], artifact: str, budget: Budget, *, named: set[str]) -> Iterator[CapturedFile]:
    """Yield the source files among `files`, named by the keys, within the budget.

    Of the others, the run says why it lacks them where they are in `named`, or are Python.
    """
    large: list[str] = []
    for name, source in sorted(files.items()):
        if not is_source(name) and str(source) != script_file():
            continue
        if is_secret(name):
            yield _withheld(name, "its name tells of secrets: it is not kept")
            continue
        if name.endswith(".ipynb") and name in named and not source.exists():
            yield _withheld(name, "it was deleted since the last commit, which is not kept of a notebook")
        if (source.is_symlink() and name not in named) or not source.is_file():
            continue
        try:
            length = source.stat().st_size
            if length > MAX_FILE_BYTES or not budget.files or length > budget.size:
                large += [name] if name in named or source.suffix == ".py" else []
                continue
            content = source.read_bytes()
            if name.endswith(".ipynb"):
                content = without_outputs(content)
        except (OSError, ValueError) as error:
            yield _withheld(name, f"{type(error).__name__}: {error}")
            continue
        budget.files -= 1
        budget.size -= len(content)
        yield CapturedFile(name, content, "code", folder=artifact)
    yield from _beyond(large)


def _beyond(names: list[str]) -> Iterator[CapturedFile]:
    """Tell of the files that are beyond the limits, at once where there are many."""
    more = f" and {len(names) - MAX_NAMED} more files" if len(names) > MAX_NAMED else ""
    for name in names[: MAX_NAMED - 1]:
        yield _withheld(name, LIMITS)
    if len(names) >= MAX_NAMED:
        yield _withheld(f"{names[MAX_NAMED - 1]}{more}", LIMITS)


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
    return (
        name in SECRET_NAMES
        or name.startswith(SECRET_STARTS)
        or name.endswith(SECRET_ENDS)
        or any(part in name for part in SECRET_PARTS)
    )


def _withheld(name: str, why: str) -> CapturedFile:
    return CapturedFile(name, b"", "code", withheld=f"{why}: the run can't be reproduced")
