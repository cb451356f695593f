"""Which run made a file: found by the sha256 of its content, wherever it lies and whatever it is called now."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from runlore import _pending
from runlore._artifacts import extent, hashed
from runlore._blobs import Member, folder_sha256, hash_file
from runlore._database import Sqlite
from runlore._record import read_record
from runlore.errors import RunloreError

if TYPE_CHECKING:
    from runlore.runs import RecordedRun
    from runlore.store import Store

SHORTEST = 6  # digits of a hash that may stand for it
LOOKED_AT = 100  # runs with a file of the same size that are looked at before it is hashed


class FileOrHashNotFound(RunloreError, FileNotFoundError):
    """Neither a file nor a hash."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A run that wrote a content, or read it as data. `artifact` is the name that the run has for it."""

    run: str
    name: str
    relation: Literal["wrote", "read"]
    artifact: str
    step: int | None
    epoch: float | None
    roles: tuple[str, ...]
    match: Literal["sha256", "weights"] = "sha256"


@dataclass(frozen=True, slots=True)
class Origins:
    """The runs that know a content, newest first. `hints` say what else may help where there is none."""

    sha256: str
    found: tuple[Origin, ...]
    hints: tuple[str, ...] = ()


def which_run(store: "Store", target: str | os.PathLike[str]) -> Origins:
    """The runs that wrote or read a file, a folder, or the content with a hash (at least six digits of it).

    Files whose hash was not known when they were recorded are hashed first.

    Raises:
        FileOrHashNotFound: `target` is neither.
    """
    sha256 = _hash_of(target)
    if not store.exists:
        return Origins(sha256, (), (f"there is no store at {str(store.root)!r} yet",))
    if os.access(store.root, os.W_OK):
        _pending.complete(store, store._index.ask(_pending.pending_runs))
    rows = store._index.ask(lambda database: _rows_of(database, sha256))
    found = tuple(origin for row in rows for origin in [_origin(store, *row)] if origin is not None)
    return Origins(sha256, found, () if found else tuple(_hints(store, target)))


def _hash_of(target: str | os.PathLike[str]) -> str:
    path = Path(target)
    if path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.is_file())
        return folder_sha256([Member(item.relative_to(path).as_posix(), 0, hash_file(item)) for item in files])
    if path.exists():
        return hash_file(path)
    text = os.fspath(target).lower().removeprefix("sha256:")
    if re.fullmatch(rf"[0-9a-f]{{{SHORTEST},64}}", text):
        return text
    raise FileOrHashNotFound(f"{os.fspath(target)!r} is no file here, and no sha256 of at least {SHORTEST} digits")


def _rows_of(database: Sqlite, sha256: str) -> list[tuple[str, str, str, int]]:
    """Run id, relation, name, position, newest run first."""
    pattern = f"{sha256}%"
    sql = (
        "SELECT r.id, 'wrote', a.name, a.position FROM artifacts a JOIN runs r ON r.n = a.run WHERE a.sha256 LIKE ? "
        "UNION SELECT r.id, 'wrote', m.path, m.position FROM members m JOIN runs r ON r.n = m.run "
        "WHERE m.sha256 LIKE ? UNION SELECT r.id, 'read', d.key, -1 FROM data d JOIN runs r ON r.n = d.run "
        "WHERE d.key LIKE '%.fingerprint' AND d.text LIKE ? ORDER BY 1 DESC, 4"
    )
    return [(row[0], row[1], row[2], row[3]) for row in database.query(sql, (pattern, pattern, pattern))]


def _origin(store: "Store", run_id: str, relation: str, name: str, position: int) -> Origin | None:
    run = store.run(run_id)
    if relation == "read":
        return Origin(run_id, run.name, "read", name.removesuffix(".fingerprint"), None, None, ())
    artifacts = run.artifacts
    if position >= len(artifacts):
        return None
    item = artifacts[position]
    inside = name if item.is_folder and name != item.name else ""
    title = f"{item.name}/{inside}" if inside else item.name
    return Origin(run_id, run.name, "wrote", title, item.step, item.epoch, item.roles)


def _hints(store: "Store", target: str | os.PathLike[str]) -> list[str]:
    name = Path(target).name
    sql = "SELECT r.id, r.name FROM artifacts a JOIN runs r ON r.n = a.run WHERE a.name = ? ORDER BY r.id DESC LIMIT 3"
    rows = store._index.ask(lambda database: database.query(sql, (name,)))
    hints = [f"run {run_name} ({run_id}) wrote a {name!r} with other content" for run_id, run_name in rows]
    pending = store._index.ask(_pending.pending_count)
    if pending:
        hints.append(f"{pending} recorded files could not be hashed yet")
    return hints


def with_hashes(run: "RecordedRun") -> "RecordedRun":
    """The run, what it left to be hashed or kept done now; it itself where there is nothing, or nothing can be done."""
    if run.status == "running" or not os.access(run.store.root, os.W_OK):
        return run
    return run.store.run(run.id) if _pending.complete(run.store, [run.id]) else run


def writer_of(store: "Store", path: Path) -> tuple[str, int | None] | None:
    """The newest run that wrote this checkpoint, and the step of it then; None where none did.

    A file that lies where a run recorded it, with the size and time that it had then, is not hashed; nor is one of a
    size that no run has recorded.

    Raises:
        OSError: it can't be read.
    """
    size, mtime_ns = extent(path)
    if not store.exists:
        return None
    artifacts = "FROM artifacts a JOIN runs r ON r.n = a.run"
    unsized = "a.size IS NULL AND a.pending = 1"  # it was still being written
    sized = f"SELECT DISTINCT r.id, a.pending {artifacts} WHERE a.size = ? OR ({unsized}) ORDER BY r.id DESC"
    rows = store._index.ask(lambda database: database.query(sized, (size,)))
    for run_id in dict.fromkeys(run_id for run_id, _ in rows[:LOOKED_AT]):
        for item in reversed(read_record(store.folder, run_id)[0].artifacts):
            same = (item.get("size"), item.get("mtime_ns")) == (size, mtime_ns)
            if same and item.get("path") == str(path) and item.get("kind") == "checkpoint":
                return run_id, item.get("step")
    if not rows:
        return None
    _pending.complete(store, [run_id for run_id, pending in rows if pending])
    sha256 = str(hashed(path)["sha256"])
    order = "a.kind = 'checkpoint' DESC, r.id DESC, a.position DESC"
    by_hash = f"SELECT r.id, a.step {artifacts} WHERE a.sha256 = ? ORDER BY {order}"
    found = store._index.ask(lambda database: database.query(by_hash, (sha256,)))
    return (found[0][0], found[0][1]) if found else None
