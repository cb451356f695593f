"""Writing the code and the data of a run into a fresh folder, as they were."""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from runlore._text import count_text
from runlore.artifacts.blobs import Blobs
from runlore.artifacts.events import hashed
from runlore.plugins.code import PATCH, SNAPSHOT, UNTRACKED
from runlore.plugins.git import TIMEOUT, Git, GitTooSlow
from runlore.provenance.source import Code, repository_with
from runlore.reproduction.checkout import PRESENT, write_code
from runlore.reproduction.paths import Places
from runlore.reproduction.plan import CannotReproduce, Needed, Plan, Problem
from runlore.store.runs import RecordedRun

BY_TOOLS = re.compile(r"(^|/)(\.[^/]*|__pycache__|[^/]*\.egg-info|venv|node_modules)/?$")
HASH = re.compile(r"[0-9a-f]{64}")
MOST = 8  # names in a remark
FOLDERS = 100  # that are searched for files which nobody kept
IN_MEMORY = "was in memory: compared after the run"


def reachable(code: Code, run: RecordedRun) -> Code:
    """The code, read from a clone that is here where the repository that was recorded is not."""
    if code.root is None or code.commit is None:
        return code
    for place in (Path(code.root), Path.cwd(), run.store.root.parent):
        root = repository_with(place, code.commit)
        if root is not None:
            return replace(code, root=str(root))
    return code


def write_files(plan: Plan, code: Code, run: RecordedRun, places: Places) -> None:
    """Write the code, and say in the plan what it is and what of it can't be had."""
    places.code.mkdir(parents=True, exist_ok=True)
    places.work.mkdir(parents=True, exist_ok=True)
    git = run.environment.get("git", {})
    written, problems = write_code(code, places.code, git.get("branch"), git.get("remote"))
    plan.problems += [Problem("code", what) for what in dict.fromkeys((*code.notes, *problems))]
    parts = list(_contents(code, written))
    plan.code = ", ".join(parts) or "none was recorded"
    if not parts:
        plan.problems.append(Problem("code", f"nothing of the code of {run.name!r} was recorded"))


def name_left_behind(plan: Plan, code: Code, run: RecordedRun, places: Places) -> None:
    """Say in the plan what lay beside the code, and is not in the fresh folder, whoever may need it."""
    own = {places.folder, *places.folder.parents}
    found = _left_behind(Path(code.root), places) if code.root else _not_kept(run, places)
    left = [name for name in found if Path(code.root or places.root, name) not in own]
    if left:
        more = f" and {len(left) - MOST} more" if len(left) > MOST else ""
        told = f"not {'in git' if code.root else 'recorded'}, so not there: {', '.join(left[:MOST])}{more}"
        plan.notes.append(f"{told} (--with PATH copies what the script needs)")


def _contents(recorded: Code, code: Code) -> Iterator[str]:
    """What was written of the code that is recorded."""
    if code.commit == PRESENT:
        yield f"the present commit of {code.root} in place of commit {str(recorded.commit)[:12]}"
    elif code.commit:
        yield f"commit {code.commit[:12]} of {code.root}"
    if code.of(PATCH):
        yield "the uncommitted changes"
    for name, what in ((UNTRACKED, "untracked"), (SNAPSHOT, "recorded")):
        if code.of(name):
            yield count_text(len(code.of(name)), f"{what} file")


def _left_behind(root: Path, places: Places) -> Iterator[str]:
    """What lies in the repository now, unknown to git and missing in the fresh folder, but for what tools leave."""
    others = ("ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory")
    git = Git(root, TIMEOUT)
    try:
        listed = [git.text(*others), git.text(*others, "--ignored")]
    except GitTooSlow:
        return
    for path in dict.fromkeys("\0".join(filter(None, listed)).split("\0")):
        if path and not BY_TOOLS.search(path) and not (places.code / path).exists():
            yield path.rstrip("/")


def _not_kept(run: RecordedRun, places: Places) -> Iterator[str]:
    """What lies beside the script now, where there is no git, and is missing in the fresh folder; not what it wrote."""
    written = {str(places.then(item.path)) for item in run.artifacts if item.path}
    waiting = [places.root]
    for _ in range(FOLDERS):
        if not waiting:
            return
        folder = waiting.pop(0)
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        for path in entries:
            name = path.relative_to(places.root).as_posix()
            if BY_TOOLS.search(name) or str(path) in written or path == run.store.root:
                continue
            if path.is_dir() and not path.is_symlink() and (places.code / name).is_dir():
                waiting.append(path)
            elif not (places.code / name).exists():
                yield name


# The data


def bring(wanted: Mapping[str, Path], places: Places, *, link: bool) -> None:
    """Copy what a user wants to be there, or link to it; each at the place that it has in theirs, or is named for it.

    Raises:
        CannotReproduce: it can't be there.
    """
    for name, path in wanted.items():
        source = path.absolute()
        target = places.beside(Path(name))
        if target is None and places.there(name) != places.then(name):  # as it was called then
            target = places.there(name)
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


def supply(plan: Plan, run: RecordedRun, places: Places) -> None:
    """Check what the run read from files; copy what lay beside the code without being in git."""
    blobs = Blobs(run.store.folder.blobs)
    for name, path, sha256 in dict.fromkeys((*_read_by(run), *_read_by(plan.run))):
        state = _supplied(path, sha256, places, blobs)
        if state.startswith(("has", "is gone")):
            way = f"--with {path}=PATH brings it from elsewhere" if places.there(path) != places.then(path) else ""
            what = f"{name}: {path!r} {state} (sha256 {sha256[:12]} is wanted)"
            plan.problems.append(Problem("data", "; ".join(filter(None, (what, way)))))
        plan.data.append(Needed(name, path, state))
    for name, facts in plan.run.data.items():
        if facts.get("path") is None and facts.get("fingerprint"):
            plan.data.append(Needed(name, "", IN_MEMORY))


def _supplied(path: str, sha256: str, places: Places, blobs: Blobs) -> str:
    """What is, or was made, of a file that the run read."""
    target, original = places.there(path), places.then(path)
    if _is(target, sha256):
        return "is the same"
    ours = target != original and places.may_write(target)
    if ours and not target.exists() and _is(original, sha256):
        _copy(original, target)
        return "is the same, copied"
    if ours and not target.is_dir() and blobs.holds(sha256):
        _copy(blobs.path(sha256), target)
        if _is(target, sha256):
            return "restored from the store"
        target.unlink()
    if ours and original.exists() and not target.exists():
        _copy(original, target)
    return "has changed" if target.exists() or original.exists() else "is gone, or has moved"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    else:
        shutil.copyfile(source, target)


def _read_by(run: RecordedRun) -> Iterator[tuple[str, str, str]]:
    """Name, recorded path and sha256 of files that a run read: its data, and checkpoints that it went on from."""
    for name, facts in run.data.items():
        path, sha256 = facts.get("path"), facts.get("fingerprint")
        if isinstance(path, str) and isinstance(sha256, str) and HASH.fullmatch(sha256):
            yield name, path, sha256
    for link in run.links:
        sha256 = link.get("sha256")
        if isinstance(sha256, str) and HASH.fullmatch(sha256):
            for other in run.store.runs(f"id == {link['run']!r}"):
                paths = [item.path for item in other.artifacts if item.sha256 == sha256 and item.path]
                yield from ((f"{link['kind']} {other.name}", path, sha256) for path in paths[:1])


def _is(path: Path, sha256: str) -> bool:
    try:
        return path.exists() and hashed(path)["sha256"] == sha256
    except OSError:
        return False
