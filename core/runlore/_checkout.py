"""Writing the code of a run into a fresh folder, byte for byte, as a repository of its own where it was one."""

import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from runlore._blobs import safe_join
from runlore._code import PATCH, SNAPSHOT, UNTRACKED
from runlore._codestate import CannotRebuild, Code, Rebuilt
from runlore.errors import UnsafePath

CHUNK = 64 << 20  # bytes of files that are asked of git at once
POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n")
LINK, SUBMODULE, PROGRAM = "120000", "160000", "100755"


def write_code(code: Code, folder: Path, branch: str | None, remote: str | None) -> Iterator[str]:
    """Write what is known of a state of the code into an empty folder; what could not be restored, and why.

    Files come from git's objects themselves: neither filters nor hooks nor attributes of anybody have a say. Where a
    commit is known, the folder becomes a repository at it, which borrows the objects of the other. Where it can't be
    had, the other's present commit stands in for it.
    """
    if code.root is None:
        yield from _write_files(code.of(SNAPSHOT), folder)
        return
    try:
        yield from _write_tree(code, folder, branch, remote)
    except CannotRebuild as error:
        yield str(error)
        yield from _write_instead(code, folder)


def _write_tree(code: Code, folder: Path, branch: str | None, remote: str | None) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="runlore-") as place:
        rebuilt = Rebuilt(code, Path(place))
        tree = rebuilt.tree()
        yield from _write_entries(rebuilt, tree, folder)
        if code.commit:
            _become_repository(rebuilt, code.commit, folder, branch, remote)


def _write_instead(code: Code, folder: Path) -> Iterator[str]:
    """The commit that the repository is at now, in place of one that can't be had, the patch if it fits."""
    kept = {UNTRACKED: code.of(UNTRACKED)}
    for files in ({**kept, PATCH: code.of(PATCH)}, kept) if code.of(PATCH) else (kept,):
        try:
            yield from _write_tree(replace(code, commit="HEAD", files=files), folder, None, None)
        except CannotRebuild:
            continue
        with_patch = "" if PATCH in files or not code.of(PATCH) else ", without the recorded changes, which don't fit"
        yield f"the present commit of the repository would stand in for it{with_patch}"
        return
    yield from _write_files(code.of(UNTRACKED), folder)


def _become_repository(rebuilt: Rebuilt, commit: str, folder: Path, branch: str | None, remote: str | None) -> None:
    """A repository of its own around the files, at the commit: what differs from it is uncommitted, as it was."""
    own = folder / ".git"
    for part in ("objects/info", "refs/heads"):
        (own / part).mkdir(parents=True, exist_ok=True)
    full = rebuilt.git("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()
    (own / "objects" / "info" / "alternates").write_bytes(os.fsencode(f"{rebuilt.original}\n"))
    (own / "HEAD").write_text(f"{full}\n", encoding="utf-8")
    (own / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n", encoding="utf-8")
    here = ("--git-dir", str(own), "--work-tree", str(folder))
    if branch and branch.isprintable() and not branch.startswith(("(", "-")):
        rebuilt.git(*here, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
        rebuilt.git(*here, "update-ref", "HEAD", full)
    if remote:
        rebuilt.git(*here, "config", "remote.origin.url", remote)
    rebuilt.git(*here, "read-tree", full, index=own / "index")


def _write_entries(rebuilt: Rebuilt, tree: str, folder: Path) -> Iterator[str]:
    """Every file of a tree; what is not in git is told."""
    listed = rebuilt.git("ls-tree", "-r", "-z", "-l", "--full-tree", tree).decode("utf-8", "surrogateescape")
    waiting: list[tuple[str, str, str]] = []
    size = 0
    links = []
    for entry in filter(None, listed.split("\0")):
        facts, _, path = entry.partition("\t")
        mode, _, sha, length = facts.split()
        if mode == SUBMODULE:
            yield f"{path!r} is another repository (a submodule), at {sha[:12]}: what it holds is not recorded"
            continue
        waiting.append((mode, sha, path))
        size += int(length)
        if size > CHUNK:
            links += yield from _write_some(rebuilt, waiting, folder)
            waiting, size = [], 0
    links += yield from _write_some(rebuilt, waiting, folder)
    for path, target in links:  # last, so that nothing is written through one
        if not _leads_inside(folder, path, target):
            yield f"{path!r} is a link that leads out of the repository, to {target!r}: not made"
        else:
            _place(folder, path).symlink_to(target)


def _write_some(
    rebuilt: Rebuilt, files: list[tuple[str, str, str]], folder: Path
) -> Generator[str, None, list[tuple[str, str]]]:
    """Write files; the links among them as a value, to be made when all is written."""
    asked = "".join(f"{sha}\n" for _, sha, _ in files).encode()
    answer = memoryview(rebuilt.git("cat-file", "--batch", stdin=asked))
    links = []
    for mode, sha, path in files:
        end = bytes(answer[:200]).index(b"\n")
        length = int(bytes(answer[:end]).split()[-1])
        content = bytes(answer[end + 1 : end + 1 + length])
        answer = answer[end + 2 + length :]
        if mode == LINK:
            links.append((path, os.fsdecode(content)))
            continue
        pointer = POINTER.match(content)
        if pointer:
            large = rebuilt.large_file(pointer[1].decode())
            if large is not None:
                shutil.copyfile(large, _place(folder, path))
                continue
            yield f"{path!r} is kept by Git LFS, which does not have its content here: git lfs fetch {sha[:12]}"
        try:
            target = _place(folder, path)
        except UnsafePath as error:
            yield str(error)
            continue
        target.write_bytes(content)
        if mode == PROGRAM:
            target.chmod(0o755)
    return links


def _write_files(files: dict[str, bytes], folder: Path) -> Iterator[str]:
    for path, content in files.items():
        try:
            _place(folder, path).write_bytes(content)
        except UnsafePath as error:
            yield str(error)


def _place(folder: Path, path: str) -> Path:
    if any(part.lower() == ".git" for part in Path(path).parts):  # whose settings name programs to be run
        raise UnsafePath(f"the recorded path {path!r} lies in git's own folder: not restored")
    target = safe_join(folder, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _leads_inside(folder: Path, path: str, target: str) -> bool:
    end = os.path.normpath(folder / Path(path).parent / target)
    return Path(end).is_relative_to(folder) and ".git" not in Path(end).relative_to(folder).parts
