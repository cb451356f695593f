"""Restore the code and the data of a run in a fresh folder, as they were."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runlore._ids import new_suffix
from runlore._inside import OddFile
from runlore._text import count_text
from runlore.artifacts.blobs import Blobs
from runlore.artifacts.copying import check_dense, copy_hashing
from runlore.artifacts.events import hashed
from runlore.errors import ArtifactNotFound
from runlore.plugins.code import COMMIT, IMPORTED, PATCH, SNAPSHOT, SUBMODULES, UNTRACKED
from runlore.plugins.git import TIMEOUT_S, Git, GitTooSlow
from runlore.plugins.typed import TYPED
from runlore.provenance.source import OUTSIDE, Code, repository_with
from runlore.provenance.trust import Proven
from runlore.reproduction.checkout import PRESENT, write_code, write_files
from runlore.reproduction.paths import Places
from runlore.reproduction.plan import CannotReproduce, Needed, Plan, Problem
from runlore.store.runs import RecordedRun

MADE_BY_TOOLS = re.compile(r"(^|/)(\.[^/]*|__pycache__|[^/]*\.egg-info|venv|node_modules)/?$")
SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_NAMES = 8  # in a note
MAX_LINKS = 200  # of a run to contents of others
MAX_FOLDERS = 100  # searched for files that were not recorded
NOT_TRUSTED = "is not looked at: the run is not trusted"
IN_MEMORY = "was in memory: compared after the run"

# The code


def find_clone(code: Code, run: RecordedRun, *, look: bool = True) -> Code:
    """Return the code as a clone on this machine has it, if the recorded repository is not here.

    Without `look` only the repositories count that the user or the store is in, and only one with the very commit.
    """
    if code.root is None or (code.commit is None and look):
        return code
    own = (Path.cwd(), run.store.root.parent)
    for place in ((Path(code.root), *own) if look else own) if code.commit else ():
        root = repository_with(place, code.commit)
        if root is not None:
            return replace(code, root=str(root))
    if look:
        return code
    kept = {**code.of(SUBMODULES), **code.of(UNTRACKED), **code.of(SNAPSHOT)}
    told = f"the repository {code.root!r} {NOT_TRUSTED}"
    outside = {name: files for name, files in code.files.items() if name in OUTSIDE}
    return replace(code, root=None, commit=None, files=outside | {SNAPSHOT: kept}, notes=[*code.notes, told])


def restore_code(plan: Plan, code: Code, run: RecordedRun, places: Places) -> None:
    """Write the code, and say in the plan what was written and what is missing."""
    places.code.mkdir(parents=True, exist_ok=True)
    places.work.mkdir(parents=True, exist_ok=True)
    git = run.environment.get("git", {})
    written, problems = write_code(code, places.code, git.get("branch"), git.get("remote"))
    _restore_outside(plan, code, problems)
    plan.typed = next((places.folder / TYPED / name for name in code.of(TYPED)), None)
    plan.problems += [Problem("code", what) for what in dict.fromkeys((*code.notes, *problems))]
    parts = list(_parts(code, written))
    plan.code = ", ".join(parts) or "none was recorded"
    if not parts:
        plan.problems.append(Problem("code", f"nothing of the code of {run.name!r} was recorded"))


def _restore_outside(plan: Plan, code: Code, problems: list[str]) -> None:
    """Write what was typed and what was loaded from elsewhere, but for packages of which only the commit is known."""
    problems.extend(write_files(code.of(TYPED), plan.folder / TYPED))
    imported = code.of(IMPORTED)
    partly = {name.removesuffix(COMMIT): text for name, text in imported.items() if name.endswith(COMMIT)}
    for package, text in partly.items():
        told = " ".join(text.decode("utf-8", "replace").split())
        problems.append(f"package {package!r} was loaded from elsewhere, {told}: it is used as it is here now")
    whole = {name: text for name, text in imported.items() if name.partition("/")[0].removesuffix(COMMIT) not in partly}
    if whole:
        problems.extend(write_files(whole, plan.folder / IMPORTED))
        plan.imported = plan.folder / IMPORTED


def note_left_out(plan: Plan, code: Code, run: RecordedRun, places: Places) -> None:
    """Note in the plan the files beside the code that are not in the fresh folder: the script may need them."""
    own = {places.folder, *places.folder.parents}
    found = _outside_git(Path(code.root), places) if code.root else _not_recorded(run, places)
    left = [name for name in found if Path(code.root or places.root, name) not in own]
    if left:
        more = f" and {len(left) - MAX_NAMES} more" if len(left) > MAX_NAMES else ""
        told = f"not {'in git' if code.root else 'recorded'}, so not there: {', '.join(left[:MAX_NAMES])}{more}"
        plan.notes.append(f"{told} (--with PATH copies what the script needs)")


def _parts(recorded: Code, written: Code) -> Iterator[str]:
    """Describe the parts of the code that were written."""
    if written.commit == PRESENT:
        yield f"the present commit of {written.root} in place of commit {str(recorded.commit)[:12]}"
    elif written.commit:
        yield f"commit {written.commit[:12]} of {written.root}"
    if written.of(PATCH):
        yield "the uncommitted changes"
    for name, what in ((UNTRACKED, "untracked"), (SNAPSHOT, "recorded"), (SUBMODULES, "submodule")):
        if written.of(name):
            yield count_text(len(written.of(name)), f"{what} file")
    for name in OUTSIDE:
        if recorded.of(name):
            yield f"{count_text(len(recorded.of(name)), f'{name} file')} in {name!r}"


def _outside_git(root: Path, places: Places) -> Iterator[str]:
    """Yield the paths in a repository that git does not track and the fresh folder lacks, without those of tools."""
    others = ("ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory")
    git = Git(root, TIMEOUT_S)
    try:
        listed = [git.text(*others), git.text(*others, "--ignored")]
    except GitTooSlow:
        return
    for path in dict.fromkeys("\0".join(filter(None, listed)).split("\0")):
        if path and not MADE_BY_TOOLS.search(path) and not (places.code / path).exists():
            yield path.rstrip("/")


def _not_recorded(run: RecordedRun, places: Places) -> Iterator[str]:
    """Yield the paths beside a script without git that the fresh folder lacks, without those the run wrote."""
    written = {str(places.then(item.path)) for item in run.artifacts if item.path}
    waiting = [places.root]
    for _ in range(MAX_FOLDERS):
        if not waiting:
            return
        folder = waiting.pop(0)
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        for path in entries:
            name = path.relative_to(places.root).as_posix()
            if MADE_BY_TOOLS.search(name) or str(path) in written or path == run.store.root:
                continue
            if path.is_dir() and not path.is_symlink() and (places.code / name).is_dir():
                waiting.append(path)
            elif not (places.code / name).exists():
                yield name


# The data


def add_files(wanted: Mapping[str, Path], places: Places, *, link: bool) -> None:
    """Copy files and folders of the user's into the fresh folder, or link to them; the keys name their places.

    Raises:
        CannotReproduce: a file is not there, has no place in the fresh folder, or would replace something.
    """
    for name, path in wanted.items():
        source = path.absolute()
        target = places.target_of(Path(name))
        if target is None and places.now(name) != places.then(name):  # the recorded name of a place
            target = places.now(name)
        if not source.exists():
            raise CannotReproduce(f"there is no {str(path)!r}")
        if target is None:
            told = f"{name!r} is not in the folders of the run: the script reads it where it lies"
            raise CannotReproduce(f"{told}; PLACE={name} puts it at a place in {str(places.root)!r}")
        if not places.may_write(target) or (link and target.exists()):
            raise CannotReproduce(f"{name!r} can't be put into the fresh folder: something is there that would be lost")
        target.parent.mkdir(parents=True, exist_ok=True)
        if link:
            target.symlink_to(source)
        else:
            _copy(source, target)


def restore_data(plan: Plan, run: RecordedRun, places: Places, *, look: bool = True) -> None:
    """Check the files that the run read, and copy those in the code's folder that are not there yet.

    Without `look` only what the record itself has brought is checked: it may name any file of the reader's.
    """
    blobs = Blobs(run.store.folder.blobs)
    for name, path, sha256 in dict.fromkeys((*_files_read(run), *_files_read(plan.run))):
        state = _restore_file(path, sha256, places, blobs, look=look)
        if state.startswith(("has", "is gone")):
            way = f"--with {path}=PATH brings it from elsewhere" if places.now(path) != places.then(path) else ""
            what = f"{name}: {path!r} {state} (sha256 {sha256[:12]} is wanted)"
            plan.problems.append(Problem("data", "; ".join(filter(None, (what, way)))))
        plan.data.append(Needed(name, path, state))
    for name, facts in plan.run.data.items():
        if facts.get("path") is None and facts.get("fingerprint"):
            plan.data.append(Needed(name, "", IN_MEMORY))
    left = max(len(_linked(run)), len(_linked(plan.run))) - MAX_LINKS
    if left > 0:
        what = f"{left} of the files of other runs that it read are not looked at: there are more than {MAX_LINKS}"
        plan.problems.append(Problem("data", what))


def _restore_file(path: str, sha256: str, places: Places, blobs: Blobs, *, look: bool) -> str:
    """Put a file that the run read in its place if possible. Return its state in words."""
    target, original = places.now(path), places.then(path)
    if not look and (target == original or not os.path.realpath(target).startswith(f"{places.folder}{os.sep}")):
        return NOT_TRUSTED
    if _is_special(target) or (look and _is_special(original)):
        return "has become a device, a pipe or a socket: it is not read"
    if _has_hash(target, sha256):
        return "is the same"
    ours = target != original and places.may_write(target)
    if look and ours and not target.exists() and _has_hash(original, sha256):
        _copy(original, target)
        return "is the same, copied"
    if ours and not target.is_dir() and _copy_kept(blobs, sha256, target):
        return "restored from the store"
    if not look and not target.exists():
        return NOT_TRUSTED
    if look and ours and original.exists() and not target.exists():
        _copy(original, target)
    return "has changed" if target.exists() or original.exists() else "is gone, or has moved"


def _is_special(path: Path) -> bool:
    """Return True for what is neither a file nor a folder."""
    try:
        return path.exists() and not path.is_file() and not path.is_dir()
    except OSError:
        return False


def _copy_kept(blobs: Blobs, sha256: str, target: Path) -> bool:
    """Copy a content that the store keeps; return False where it does not, or keeps another one under its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{new_suffix(8)}.tmp")
    try:
        with blobs.open(sha256) as kept, draft.open("x+b", buffering=0) as copy:
            check_dense(kept, target.name, sha256)
            if copy_hashing(kept, copy)[1] != sha256:
                return False
        draft.replace(target)
    except (FileNotFoundError, OddFile, ArtifactNotFound):
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    else:
        shutil.copyfile(source, target)


def _files_read(run: RecordedRun) -> Iterator[tuple[str, str, str]]:
    """Yield name, recorded path and sha256 of the data files of a run, and of the checkpoints it started from."""
    for name, facts in run.data.items():
        path, sha256 = facts.get("path"), facts.get("fingerprint")
        if isinstance(path, str) and isinstance(sha256, str) and SHA256.fullmatch(sha256):
            yield name, path, sha256
    links = _linked(run)[:MAX_LINKS]
    for other in run.store.known([link["run"] for link in links]):
        paths = _paths_of(other)
        for link in links:
            if link["run"] == other.id and link["sha256"] in paths:
                yield f"{link['kind']} {other.name}", paths[link["sha256"]], link["sha256"]


def _linked(run: RecordedRun) -> list[dict[str, Any]]:
    """Return the links of a run to contents of others."""
    return [link for link in run.links if SHA256.fullmatch(str(link.get("sha256")))]


def _paths_of(run: RecordedRun) -> dict[str, str]:
    """Return where a run recorded contents: only what is proven of it counts, if anything of the run is."""
    proven = Proven(run.store.folder, run.id)
    recorded = [{"path": item.path, "sha256": item.sha256} for item in run.artifacts]
    told = proven.record.artifacts if proven.is_any else recorded
    return {str(item["sha256"]): str(item["path"]) for item in reversed(told) if item.get("path")}


def _has_hash(path: Path, sha256: str) -> bool:
    try:
        return path.exists() and hashed(path)["sha256"] == sha256
    except OSError:
        return False
