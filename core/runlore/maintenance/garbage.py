"""Find the files of a store that no run needs, and delete them."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from runlore.index.select import list_damaged
from runlore.log.folder import Folder, WriterFile, visible
from runlore.log.record import Record, Writers, build_record, read_record, read_writers
from runlore.maintenance.retention import Surplus
from runlore.store.store import Store

SHA256 = re.compile(rb"[0-9a-f]{64}")
MIN_AGE_S = 3600.0  # of a file that is deleted: a run may be about to name a younger one


@dataclass(frozen=True, slots=True)
class Garbage:
    """Files that no run needs, with their sizes in bytes. `kept` says which blobs were left alone for safety, and why.

    `removed` are files in the trash, `drafts` files that were never completed.
    """

    blobs: tuple[tuple[Path, int], ...]
    removed: tuple[tuple[Path, int], ...]
    drafts: tuple[tuple[Path, int], ...]
    kept: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return sum(size for group in (self.blobs, self.removed, self.drafts) for _, size in group)


def find_garbage(store: Store, without: Sequence[Surplus] = ()) -> Garbage:
    """Find the files that `collect` would delete; for a dry run, as if the runs did not need what is in `without`.

    First the files of all runs are searched for hashes, which is fast. Only if this leaves blobs are the runs read, to
    be sure; with `without` the index says which runs are damaged instead.
    """
    folder = store.folder
    kept: list[str] = []
    blobs = [item for item in _blobs(folder) if _is_old(item[0])]
    if blobs:
        mentioned = _mentioned(folder, {item.run.id: item.blobs for item in without})
        blobs = [item for item in blobs if item[0].name not in mentioned]
    if blobs and without:
        kept += map(_damaged, store.ask(list_damaged))
    elif blobs:
        needed = _needed(folder, kept)
        blobs = [item for item in blobs if item[0].name not in needed]
    removed = list(_files(folder.trash))
    drafts = [item for place in (folder.runs, folder.blobs) for item in _files(place, drafts=True) if _is_old(item[0])]
    return Garbage(() if kept else tuple(blobs), tuple(removed), tuple(drafts), tuple(kept))


def collect(store: Store, garbage: Garbage) -> int:
    """Delete garbage. Return the bytes that this freed. Runs in the trash can't be brought back any more.

    Raises:
        OSError: the store can't be written.
    """
    freed = sum(_unlink(path, size) for path, size in (*garbage.drafts, *garbage.removed))
    kept: list[str] = []
    needed = _needed(store.folder, kept) if garbage.blobs else set()  # again: a removal may have been undone
    for path, size in garbage.blobs:
        with suppress(FileNotFoundError):
            if not kept and path.name not in needed and _is_old(path):
                freed += _unlink(path, size)
    for place in (*store.folder.blobs.glob("??"), *sorted(store.folder.trash.rglob("*"), reverse=True)):
        with suppress(OSError):
            place.rmdir()  # only if it is an empty folder
    return freed


def sizes(store: Store) -> dict[str, int]:
    """Return the bytes of each part of a store: runs, blobs, index and trash."""
    folder = store.folder
    index = store.index.path if store.exists else None
    found = {"runs": sum(size for _, size in _files(folder.runs)), "blobs": sum(size for _, size in _blobs(folder))}
    found["index"] = index.stat().st_size if index is not None and index.exists() else 0
    found["trash"] = sum(size for _, size in _files(folder.trash))
    return found


def _unlink(path: Path, size: int) -> int:
    """Delete a file. Return the bytes freed: `size`, or 0 if another process has deleted it."""
    try:
        path.unlink()
    except FileNotFoundError:
        return 0
    return size


def _needed(folder: Folder, kept: list[str]) -> set[str]:
    """Return the hashes that the runs need. If that can't be known, reasons are appended to `kept`."""
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
    """Return the hashes that one run names, without those of dropped artifacts."""
    needed: set[str] = set()
    for item in record.artifacts:
        if not item.get("dropped"):
            needed.add(str(item.get("sha256")))
            needed.update(str(member[2]) for member in item.get("files", ()))
    for content in writers.contents:  # sections that later events replaced are needed, too
        for event in content.events:
            sections = event.get("sections")
            if isinstance(sections, dict):
                needed.update(str(section.get("sha256")) for section in sections.values())
    return needed


def _by_run(folder: Folder) -> Iterator[tuple[str, list[WriterFile]]]:
    """Yield each run with its files; the folder of each day is listed once."""
    for day in folder.days():
        for run_id, files in groupby(visible(day, os.listdir(day)), key=lambda item: item.run_id):
            yield run_id, list(files)


def _read(folder: Folder, run_id: str, files: list[WriterFile]) -> tuple[Record, Writers]:
    try:
        writers = read_writers(files)
        return build_record(folder, run_id, writers), writers
    except FileNotFoundError:  # sealed since the folder was listed
        return read_record(folder, run_id)


def _mentioned(folder: Folder, without: Mapping[str, frozenset[str]]) -> set[str]:
    """Return every text in the files of runs that looks like a hash; `without` holds hashes to ignore, by run.

    Runs with dropped artifacts are read instead, since their files still mention those.
    """
    found: set[str] = set()
    for run_id, files in _by_run(folder):
        try:
            contents = [item.path.read_bytes() for item in files]
        except FileNotFoundError:  # sealed since the folder was listed: `_needed` reads it
            continue
        if any(b'"dropped"' in content for content in contents):
            told = _needed_by(*_read(folder, run_id, files))
        else:
            told = {item.decode() for content in contents for item in SHA256.findall(content)}
        found |= told - without.get(run_id, frozenset())
    return found


def _blobs(folder: Folder) -> Iterator[tuple[Path, int]]:
    yield from ((path, size) for path, size in _files(folder.blobs) if not path.name.startswith("."))


def _files(place: Path, *, drafts: bool = False) -> Iterator[tuple[Path, int]]:
    """Yield the files below a folder with their sizes in bytes; with `drafts` only unfinished ones."""
    for parent, folders, names in os.walk(place):
        folders.sort()
        for name in sorted(names):
            if not drafts or (name.startswith(".") and name.endswith(".tmp")):
                with suppress(FileNotFoundError):
                    yield Path(parent, name), os.stat(f"{parent}/{name}").st_size  # noqa: PTH116  # of thousands


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > MIN_AGE_S
