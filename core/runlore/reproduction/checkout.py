"""Write the recorded code into a fresh folder, byte for byte; if it was in a repository, as a repository."""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runlore._sharing import set_mode
from runlore.artifacts.blobs import ODD_NAME
from runlore.artifacts.folders import MAX_NAME_BYTES, is_of_git
from runlore.errors import UnsafePath
from runlore.plugins.code import SNAPSHOT, SUBMODULES, UNTRACKED
from runlore.provenance.repository import LFS_POINTER
from runlore.provenance.source import MAX_TREE_BYTES, MAX_TREE_FILES, CannotRebuild, Code, Rebuilt

BATCH_BYTES = 64 << 20  # of file contents, read from git with one call
PRESENT = "HEAD"  # replaces a commit that is not in the repository any more
LINK, SUBMODULE, EXECUTABLE = "120000", "160000", "100755"  # git's modes

Entry = tuple[str, str, str]  # mode, object id and path of a file in a git tree


def write_code(code: Code, folder: Path, branch: str | None, remote: str | None) -> tuple[Code, list[str]]:
    """Write the code into an empty folder. Return the code that was written, and what is not as it was.

    File contents are read from git's objects, so that no filter, hook or attribute changes them. If a commit is known,
    the folder becomes a repository at this commit, which reads its objects from the original one. If the commit is
    gone, the present commit of the original replaces it.
    """
    problems: list[str] = []
    if code.root is None:
        problems.extend(write_files(code.of(SNAPSHOT), folder))
        return code, problems
    try:
        problems.extend(_write_tree(code, folder, branch, remote))
    except CannotRebuild as error:
        problems.append(str(error))
        return _write_present_commit(code, folder, problems), problems
    return code, problems


def _write_tree(code: Code, folder: Path, branch: str | None, remote: str | None) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="runlore-") as place:
        rebuilt = Rebuilt(code, Path(place))
        tree = rebuilt.tree()
        yield from _write_entries(rebuilt, tree, folder, code.of(SUBMODULES))
        yield from write_files(code.of(SUBMODULES), folder)
        if code.commit:
            try:
                _make_repository(rebuilt, code.commit, folder, branch, remote)
            except CannotRebuild as error:
                yield f"the folder is no repository, as it was: {error}"


def _write_present_commit(code: Code, folder: Path, problems: list[str]) -> Code:
    """Write the present commit of the repository, with the recorded changes if they apply. Return what was written."""
    told = "the present commit of the repository would stand in for it"
    unpatched = {UNTRACKED: code.of(UNTRACKED)}
    for files, lacking in (({**code.files}, ""), (unpatched, ", without the recorded changes, which don't fit")):
        instead = replace(code, commit=PRESENT, files=files)
        with suppress(CannotRebuild):
            problems.extend(_write_tree(instead, folder, None, None))
            problems.append(f"{told}{lacking}")
            return instead
    problems.extend(write_files(code.of(UNTRACKED), folder))
    problems.extend(write_files(code.of(SUBMODULES), folder))
    return replace(code, commit=None, files=unpatched | {SUBMODULES: code.of(SUBMODULES)})


def _make_repository(rebuilt: Rebuilt, commit: str, folder: Path, branch: str | None, remote: str | None) -> None:
    """Make the folder a repository at the commit; the files stay, so that recorded changes are uncommitted again."""
    own = folder / ".git"
    for part in ("objects/info", "refs/heads"):
        (own / part).mkdir(parents=True, exist_ok=True)
    full = rebuilt.git("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()
    kind = rebuilt.git("rev-parse", "--show-object-format").decode().strip()
    (own / "objects" / "info" / "alternates").write_bytes(os.fsencode(f"{rebuilt.original}\n"))
    (own / "HEAD").write_text(f"{full}\n", encoding="utf-8")
    extension = f"[extensions]\n\tobjectFormat = {kind}\n" if kind != "sha1" else ""
    version = 1 if extension else 0
    settings = f"[core]\n\trepositoryformatversion = {version}\n\tbare = false\n{extension}"
    (own / "config").write_text(settings, encoding="utf-8")
    shallow = rebuilt.path_of("shallow")
    if shallow is not None:
        shutil.copyfile(shallow, own / "shallow")
    here = ("--git-dir", str(own), "--work-tree", str(folder))
    with suppress(CannotRebuild):  # git refuses the recorded name
        if branch and not branch.startswith(("(", "-")):
            rebuilt.git(*here, "update-ref", f"refs/heads/{branch}", full)
            rebuilt.git(*here, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    with suppress(CannotRebuild):
        if remote:
            rebuilt.git(*here, "config", "remote.origin.url", remote)
    rebuilt.git(*here, "read-tree", full, index=own / "index")


def _write_entries(rebuilt: Rebuilt, tree: str, folder: Path, inside: Mapping[str, bytes]) -> Iterator[str]:
    """Write every file of a tree, and yield a problem for each that git lacks or that must not be written.

    `inside` are the recorded files of submodules.
    """
    listed = rebuilt.git("ls-tree", "-r", "-z", "-l", "--full-tree", tree).decode("utf-8", "surrogateescape")
    _check_room(listed)
    waiting: list[Entry] = []
    size = 0
    links = []
    for entry in filter(None, listed.split("\0")):
        facts, _, path = entry.partition("\t")
        mode, _, sha, length = facts.split()
        if mode == SUBMODULE:
            ran = any(name.startswith(f"{path}/") for name in inside)
            kept = "only its sources that ran or had changed are recorded" if ran else "what it holds is not recorded"
            yield f"{path!r} is another repository (a submodule), at {sha[:12]}: {kept}"
            continue
        waiting.append((mode, sha, path))
        size += int(length) if length.isdigit() else 0  # "BAD" if the object is gone
        if size > BATCH_BYTES:
            links += yield from _write_batch(rebuilt, waiting, folder)
            waiting, size = [], 0
    links += yield from _write_batch(rebuilt, waiting, folder)
    for path, target in links:  # last, so that no file is written through a link
        if not _leads_inside(folder, path, target):
            yield f"{path!r} is a link that leads out of the repository, to {target!r}: not made"
        else:
            try:
                _place(folder, path).symlink_to(target)
            except UnsafePath as error:
                yield str(error)
            except (OSError, ValueError) as error:
                yield f"{path!r} is a link that can't be made: {error}"


def _check_room(listed: str) -> None:
    """Raise unless a tree, as git lists it, has as many files and bytes as may be written.

    Raises:
        CannotRebuild: it has more.
    """
    sizes = [entry.partition("\t")[0].rpartition(" ")[2] for entry in filter(None, listed.split("\0"))]
    if len(sizes) > MAX_TREE_FILES or sum(int(size) for size in sizes if size.isdigit()) > MAX_TREE_BYTES:
        most = f"{MAX_TREE_FILES:,} files or {MAX_TREE_BYTES >> 30} GiB"
        raise CannotRebuild(f"the code has more than {most}: it is not written")


def _write_batch(rebuilt: Rebuilt, files: list[Entry], folder: Path) -> Generator[str, None, list[tuple[str, str]]]:
    """Write files, and yield their problems. Return path and target of the links, which are made at the end."""
    links = []
    for (mode, _, path), content in zip(files, _contents(rebuilt, files), strict=True):
        if content is None:
            yield f"{path!r} is not among git's objects any more"
            continue
        if mode == LINK:
            links.append((path, os.fsdecode(content)))
            continue
        pointer = LFS_POINTER.match(content)
        large = rebuilt.large_file(pointer[1].decode()) if pointer else None
        if pointer and large is None:
            yield f"{path!r} is kept by Git LFS, which does not have its content here: git lfs fetch --all"
        try:
            target = _place(folder, path)
        except UnsafePath as error:
            yield str(error)
            continue
        if large is not None:
            shutil.copyfile(large, target)
        else:
            target.write_bytes(content)
        if mode == EXECUTABLE:
            set_mode(target, 0o755)
    return links


def _contents(rebuilt: Rebuilt, files: list[Entry]) -> Iterator[bytes | None]:
    """Yield the content of each file; None if git does not have it any more."""
    answer = memoryview(rebuilt.git("cat-file", "--batch", stdin="".join(f"{sha}\n" for _, sha, _ in files).encode()))
    for _ in files:
        head = bytes(answer[:200]).partition(b"\n")[0]
        length = head.rpartition(b" ")[2]
        begin = len(head) + 1
        if not length.isdigit():
            yield None
            answer = answer[begin:]
        else:
            yield bytes(answer[begin : begin + int(length)])
            answer = answer[begin + int(length) + 1 :]


def write_files(files: Mapping[str, bytes], folder: Path) -> Iterator[str]:
    """Write files by their paths in a folder, and yield a problem for each that would lie outside."""
    for path, content in files.items():
        try:
            _place(folder, path).write_bytes(content)
        except UnsafePath as error:
            yield str(error)


def _place(folder: Path, path: str) -> Path:
    """Make the folders of a file, and return its path.

    Raises:
        UnsafePath: it would lie outside the folder, or in a .git folder, or can't be a name here.
    """
    parts = path.split("/")
    if is_of_git(path):  # its settings can name programs to execute
        raise UnsafePath(f"the recorded path {path!r} lies in git's own folder: not restored")
    if ".." in parts or path.startswith("/") or "\0" in path or not path:
        raise UnsafePath(f"the recorded path {path!r} would lead outside {str(folder)!r}: not restored")
    target = folder / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        taken = target.is_dir()
    except OSError as error:
        if error.errno not in ODD_NAME:
            raise
        taken = True
    if taken or any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in parts):
        raise UnsafePath(f"the recorded path {path!r} can't be a file's here: not restored")
    if not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(folder)) or target.is_symlink():
        raise UnsafePath(f"{path!r} leads outside {str(folder)!r} through a link: not restored")
    return target


def _leads_inside(folder: Path, path: str, target: str) -> bool:
    """Return True if a link ends in the folder but not in a .git folder; links made before are followed."""
    whole = Path(os.path.realpath(folder))
    end = Path(os.path.realpath(whole / Path(path).parent / target))
    return not Path(target).is_absolute() and end.is_relative_to(whole) and not is_of_git(str(end.relative_to(whole)))
