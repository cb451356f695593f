"""Removing runs, taking it back, and freeing the room that nothing needs any more."""

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from runlore import _ids
from runlore._folder import Folder, WriterFile, visible
from runlore._liveness import Life
from runlore._record import Record, Writers, build_record, read_record, read_writers
from runlore.errors import QueryError, RunloreError
from runlore.statistics import field_of

if TYPE_CHECKING:
    from runlore._database import Sqlite
    from runlore.runs import RecordedRun
    from runlore.store import Store

PINNED = "pinned"  # the tag of runs that are to be kept
WEIGHTY = ("checkpoint", "model")  # kinds of artifacts whose contents the rules drop
HASHES = re.compile(rb"[0-9a-f]{64}")
NOTHING = "nothing was removed that could be brought back"
YOUNG = 3600.0  # seconds for which a file is left alone: somebody may be about to name it in a log


class StillRunning(RunloreError, ValueError):
    """A run that is being written can't be removed."""


class Pinned(RunloreError, ValueError):
    """A run that somebody wants to keep can't be removed."""


class NothingToUndo(RunloreError, LookupError):
    """No removal is left that could be undone."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """What nothing needs: files, with their sizes in bytes. `kept` says what was left alone for safety, and why."""

    blobs: tuple[tuple[Path, int], ...]
    removed: tuple[tuple[Path, int], ...]  # files of runs that `remove` took away
    drafts: tuple[tuple[Path, int], ...]
    kept: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(size for group in (self.blobs, self.removed, self.drafts) for _, size in group)


def with_descendants(store: "Store", runs: "Sequence[RecordedRun]") -> "list[RecordedRun]":
    """The runs and their children, and those of these, each once."""
    found: dict[str, RecordedRun] = {}
    waiting = list(runs)
    while waiting:
        run = waiting.pop(0)
        if run.id not in found:
            found[run.id] = run
            waiting += run.children
    return list(found.values())


def remove(store: "Store", runs: "Sequence[RecordedRun]") -> "list[RecordedRun]":
    """Remove runs and their children; `undo` brings them back until `collect` frees their room. The runs removed.

    Raises:
        StillRunning: somebody writes to one of them; nothing is removed then.
        Pinned: one of them is; nothing is removed then.
        OSError: the store can't be written.
    """
    chosen = with_descendants(store, runs)
    for run in chosen:
        if PINNED in run.tags:
            raise Pinned(f"run {run.name!r} ({run.id}) is pinned: `runlore pin --off {run.id}` first")
        _, writers = read_record(store.folder, run.id)
        if any(content.life is Life.ALIVE and not content.sealed for content in writers.contents):
            raise StillRunning(f"run {run.name!r} ({run.id}) is still being written: end it first")
    place = store.folder.trash / _ids.new_run_id(time.time_ns() // 1000)
    for run in chosen:
        day = store.folder.day(run.id)
        target = place / _ids.id_day(run.id)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in sorted(os.listdir(day)):
            if name.startswith(f"{run.id}."):
                (day / name).rename(target / name)
    return chosen


def last_removal(store: "Store") -> dict[str, int]:
    """What `undo` would bring back: the ids of runs, and the bytes of their records.

    Raises:
        NothingToUndo: there is none, or its room was freed.
    """
    for place in _removals(store):
        sizes: dict[str, int] = {}
        for path in sorted(item for item in place.rglob("*") if item.is_file()):
            run_id = path.name.partition(".")[0]
            sizes[run_id] = sizes.get(run_id, 0) + path.stat().st_size
        if sizes:
            return sizes
    raise NothingToUndo(NOTHING)


def _removals(store: "Store") -> list[Path]:
    """The newest first."""
    trash = store.folder.trash
    places = sorted(place for place in trash.iterdir() if not place.name.startswith(".")) if trash.is_dir() else []
    return places[::-1]


def undo(store: "Store") -> list[str]:
    """Bring back what the last removal took away; the ids of the runs.

    Raises:
        NothingToUndo: there is none, or its room was freed.
    """
    for place in _removals(store):
        found = set()
        mine = place.with_name(f".{place.name}.{_ids.new_suffix(4)}")
        with suppress(FileNotFoundError):  # somebody else is undoing this one
            place.rename(mine)
            for path in sorted(item for item in mine.rglob("*") if item.is_file()):
                target = store.folder.runs / path.relative_to(mine)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.rename(target)
                found.add(path.name.partition(".")[0])
            shutil.rmtree(mine)
        if found:
            return sorted(found)
    raise NothingToUndo(NOTHING)


@dataclass(frozen=True, slots=True)
class Surplus:
    """Contents of one run's checkpoints and models that the rules don't keep. `size` counts their bytes.

    `blobs` are those that the run needs for nothing else: of a folder, its files.
    """

    run: "RecordedRun"
    hashes: tuple[str, ...]
    size: int
    blobs: frozenset[str]


def find_surplus(
    store: "Store", runs: "Sequence[RecordedRun]", *, keep: int | None, by: str | None, best: str, older: float
) -> list[Surplus]:
    """What two rules leave over: of each experiment the best `keep` runs by a metric stay, and what is younger.

    `by` is "val_acc" or "metrics.val_acc.max", `best` "min" or "max"; `older` is in seconds since the run's end. Runs
    that don't have the metric, that are pinned or still running are left alone. A content that is also a file of
    another kind stays.

    Raises:
        QueryError: `by` is no metric, or no run has it.
    """
    contents = store._index.ask(_contents)
    found = [item for run in runs for item in _surplus_of(run, contents.get(run.id, ()))]
    kept = {run.id for run in runs if PINNED in run.tags or not _is_over(run, older)}
    if by is not None:
        kept |= _best(runs, {item.run.id for item in found}, by, best, keep or 0)
    return [item for item in found if item.run.id not in kept]


def _is_over(run: "RecordedRun", older: float) -> bool:
    ended = run.ended
    return run.status != "running" and ended is not None and (datetime.now(UTC) - ended).total_seconds() >= older


def _best(runs: "Sequence[RecordedRun]", having: set[str], by: str, best: str, keep: int) -> set[str]:
    """The best of the runs `having` files of each experiment, and those that can't be ranked for lack of the metric."""
    field = field_of(by, "metrics")
    if field.table != "metrics" or not any(field.key in run.metrics for run in runs):
        raise QueryError(f"none of these runs has a metric {by!r}: nothing would be kept for it", by, 0)
    kept = {run.id for run in runs if field.key not in run.metrics}
    experiments: dict[str, list[tuple[float, str]]] = {}
    for run in runs:
        value = getattr(run.metrics[field.key], field.column) if field.key in run.metrics else None
        if run.id in having and value is not None and value == value:
            experiments.setdefault(run.experiment, []).append((-value if best == "max" else value, run.id))
    for ranked in experiments.values():
        kept |= {run_id for _, run_id in sorted(ranked)[:keep]}
    return kept


@dataclass(frozen=True, slots=True)
class _Kept:
    """An artifact as the index has it, and the blobs that its content is made of."""

    kind: str
    sha256: str
    size: int
    stored: bool
    blobs: tuple[str, ...]


def _contents(database: "Sqlite") -> dict[str, list[_Kept]]:
    """The artifacts whose hash is known, by run; of the files in folders of code nothing is known."""
    members: dict[tuple[int, int], list[str]] = {}
    for run, position, sha256 in database.query("SELECT run, position, sha256 FROM members"):
        members.setdefault((run, position), []).append(sha256)
    found: dict[str, list[_Kept]] = {}
    columns = "r.id, a.run, a.position, a.kind, a.sha256, a.size, a.stored"
    rows = database.query(f"SELECT {columns} FROM artifacts a JOIN runs r ON r.n = a.run WHERE a.sha256 IS NOT NULL")
    for run_id, run, position, kind, sha256, size, stored in rows:
        blobs = tuple(members.get((run, position), ())) or (sha256,)
        found.setdefault(run_id, []).append(_Kept(kind, sha256, size or 0, bool(stored), blobs))
    return found


def _surplus_of(run: "RecordedRun", contents: Sequence[_Kept]) -> "Iterator[Surplus]":
    """The contents of checkpoints and models that a run has in the store, and that are none of its other files."""
    others = {item.sha256 for item in contents if item.kind not in WEIGHTY}
    chosen = [item for item in contents if item.stored and item.kind in WEIGHTY and item.sha256 not in others]
    if chosen:
        sizes = {item.sha256: item.size for item in chosen}
        needed = {blob for item in contents if item.stored and item.sha256 not in sizes for blob in item.blobs}
        blobs = {blob for item in chosen for blob in item.blobs} - needed
        yield Surplus(run, tuple(sizes), sum(sizes.values()), frozenset(blobs))


def drop(surplus: Sequence[Surplus], why: str) -> None:
    """Say in the runs that the store does not keep these contents any more; `collect` frees their room.

    Raises:
        StoreRefused: a run can't be written to.
    """
    for item in surplus:
        run = item.run.attach()
        run._event({"type": "dropped", "sha256": list(item.hashes), "why": why})
        run.finish()


def find_garbage(store: "Store", without: Sequence[Surplus] = ()) -> Garbage:
    """What `collect` would remove, if it were not for what is in `without`.

    Every run is searched for hashes; only if some content has none are they read, to know for sure. With `without`,
    which only a dry run has, that is left to `collect`: what the index knows of damaged runs is told.
    """
    folder = store.folder
    kept: list[str] = []
    blobs = [item for item in _blobs(folder) if _is_old(item[0])]
    if blobs:
        mentioned = _mentioned(folder, {item.run.id: item.blobs for item in without})
        blobs = [item for item in blobs if item[0].name not in mentioned]
    if blobs and without:
        rows = store._index.ask(lambda database: database.query("SELECT id FROM runs WHERE damaged > 0"))
        kept += [_damaged(run_id) for (run_id,) in rows]
    elif blobs:
        needed = _needed_blobs(folder, kept)
        blobs = [item for item in blobs if item[0].name not in needed]
    removed = list(_files(folder.trash))
    drafts = [item for place in (folder.runs, folder.blobs) for item in _files(place, drafts=True) if _is_old(item[0])]
    return Garbage(() if kept else tuple(blobs), tuple(removed), tuple(drafts), tuple(kept))


def collect(store: "Store", garbage: Garbage) -> int:
    """Remove what was found; the bytes that it freed. Runs that were removed can't be brought back after it.

    Raises:
        OSError: the store can't be written.
    """
    freed = sum(_unlink(path, size) for path, size in (*garbage.drafts, *garbage.removed))
    kept: list[str] = []
    needed = _needed_blobs(store.folder, kept) if garbage.blobs else set()  # again: somebody may have undone a removal
    for path, size in garbage.blobs:
        with suppress(FileNotFoundError):
            if not kept and path.name not in needed and _is_old(path):
                freed += _unlink(path, size)
    for place in (*store.folder.blobs.glob("??"), *sorted(store.folder.trash.rglob("*"), reverse=True)):
        with suppress(OSError):
            place.rmdir()  # if it is an empty folder
    return freed


def sizes(store: "Store") -> dict[str, int]:
    """Bytes of a store's parts: runs, blobs, index, trash."""
    folder = store.folder
    index = store._index.path if store.exists else None
    found = {"runs": sum(size for _, size in _files(folder.runs)), "blobs": sum(size for _, size in _blobs(folder))}
    found["index"] = index.stat().st_size if index is not None and index.exists() else 0
    found["trash"] = sum(size for _, size in _files(folder.trash))
    return found


def _unlink(path: Path, size: int) -> int:
    """The bytes that were freed; none where somebody was faster."""
    try:
        path.unlink()
    except FileNotFoundError:
        return 0
    return size


def _needed_blobs(folder: Folder, kept: list[str]) -> set[str]:
    """The hashes that some run names; `kept` gets the reasons why that can't be known."""
    needed: set[str] = set()
    for run_id, files in _by_run(folder):
        record, writers = _read(folder, run_id, files)
        kept += [f"blobs are left alone: {reason}" for reason in writers.unreadable]
        if record.damaged_bytes:
            kept.append(_damaged(run_id))
        needed |= _needed_by(record, writers)
    return needed


def _damaged(run_id: str) -> str:
    return f"blobs are left alone: run {run_id} is damaged, and what it names can't be known"


def _needed_by(record: Record, writers: Writers) -> set[str]:
    """The hashes that one run names, but for those of dropped contents."""
    needed: set[str] = set()
    for item in record.artifacts:
        if not item.get("dropped"):
            needed.add(str(item.get("sha256")))
            needed.update(str(member[2]) for member in item.get("files", ()))
    for content in writers.contents:  # also what later events replaced
        for event in content.events:
            sections = event.get("sections")
            if isinstance(sections, dict):
                needed.update(str(section.get("sha256")) for section in sections.values())
    return needed


def _by_run(folder: Folder) -> Iterator[tuple[str, list[WriterFile]]]:
    """The files of each run that count, each day's folder listed once."""
    for day in folder.days():
        for run_id, files in groupby(visible(day, os.listdir(day)), key=lambda item: item.run_id):
            yield run_id, list(files)


def _read(folder: Folder, run_id: str, files: list[WriterFile]) -> tuple[Record, Writers]:
    try:
        writers = read_writers(files)
        return build_record(folder, run_id, writers), writers
    except FileNotFoundError:  # sealed since the folder was listed
        return read_record(folder, run_id)


def _mentioned(folder: Folder, without: "Mapping[str, frozenset[str]]") -> set[str]:
    """All that looks like a hash in the files of runs, but for some of certain runs.

    Runs that drop contents are read, to know what they still need.
    """
    found: set[str] = set()
    for run_id, files in _by_run(folder):
        try:
            contents = [item.path.read_bytes() for item in files]
        except FileNotFoundError:  # sealed since the folder was listed; whoever reads it will know
            continue
        if any(b'"dropped"' in content for content in contents):
            told = _needed_by(*_read(folder, run_id, files))
        else:
            told = {item.decode() for content in contents for item in HASHES.findall(content)}
        found |= told - without.get(run_id, frozenset())
    return found


def _blobs(folder: Folder) -> Iterator[tuple[Path, int]]:
    yield from ((path, size) for path, size in _files(folder.blobs) if not path.name.startswith("."))


def _files(place: Path, *, drafts: bool = False) -> Iterator[tuple[Path, int]]:
    """Files with their sizes; all of them, or only drafts."""
    for parent, folders, names in os.walk(place):
        folders.sort()
        for name in sorted(names):
            if not drafts or (name.startswith(".") and name.endswith(".tmp")):
                with suppress(FileNotFoundError):
                    yield Path(parent, name), os.stat(f"{parent}/{name}").st_size  # noqa: PTH116  # of thousands


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > YOUNG
