"""Removing runs, taking it back, and freeing the room that nothing needs any more."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from runlore.index.select import list_damaged
from runlore.log.folder import Folder, WriterFile, visible
from runlore.log.record import Record, Writers, build_record, read_record, read_writers
from runlore.maintenance.retention import Surplus

if TYPE_CHECKING:
    from runlore.store.store import Store

HASHES = re.compile(rb"[0-9a-f]{64}")

YOUNG = 3600.0  # seconds for which a file is left alone: somebody may be about to name it in a log


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
        kept += map(_damaged, store.ask(list_damaged))
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
    index = store.index.path if store.exists else None
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
