"""Find the files of a store that no run needs, and delete them."""

import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from runlore import _inside
from runlore.index.select import list_damaged
from runlore.log.folder import Folder, WriterFile, visible
from runlore.log.marks import is_of_the_gone
from runlore.log.record import Record, Writers, build_record, read_record, read_writers
from runlore.maintenance.retention import Surplus
from runlore.store.models import named_contents
from runlore.store.quarantine import files_in_quarantine
from runlore.store.store import Store

SHA256 = re.compile(rb"[0-9a-f]{64}")
DROPPED = b'"dropped"'  # stands in a file that tells of dropped artifacts
DIGITS = 64  # of a hash
OVERLAP = DIGITS - 1  # bytes of a piece of a file that are searched again with the next
MIN_AGE_S = 3600.0  # of a file that is deleted: a run may be about to name a younger one


@dataclass(frozen=True, slots=True)
class Garbage:
    """Files that no run needs, with their sizes in bytes. `kept` says which blobs were left alone for safety, and why.

    `removed` are files in the trash, `drafts` files that were never completed, and marks of processes that are gone.
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
    blobs = list(_blobs(folder, MIN_AGE_S))
    if blobs:
        names = frozenset(path.name for path, _ in blobs)
        mentioned = _mentioned(folder, names, {item.run.id: item.blobs for item in without}, kept)
        mentioned |= _set_aside(folder, names, kept) | _named(store, kept)
        blobs = [item for item in blobs if item[0].name not in mentioned]
    if blobs and without:
        kept += map(_damaged, store.ask(list_damaged))
    elif blobs:
        needed = _needed(folder, kept)
        blobs = [item for item in blobs if item[0].name not in needed]
    removed = list(_files(folder, folder.trash))
    places = (folder.runs, folder.blobs, folder.models)
    drafts = [item for place in places for item in _files(folder, place, MIN_AGE_S, _is_draft)]
    drafts += _marks(folder)
    return Garbage(() if kept else tuple(blobs), tuple(removed), tuple(drafts), tuple(kept))


def collect(store: Store, garbage: Garbage) -> int:
    """Delete garbage. Return the bytes that this freed. Runs in the trash can't be brought back any more.

    Raises:
        OSError: the store can't be written.
    """
    folder = store.folder
    freed = sum(_unlink(folder, path, size) for path, size in (*garbage.drafts, *garbage.removed))
    kept: list[str] = []
    needed = _needed(store.folder, kept) if garbage.blobs else set()  # again: a removal may have been undone
    needed |= _set_aside(folder, frozenset(path.name for path, _ in garbage.blobs), kept)
    needed |= _named(store, kept) if garbage.blobs else set()
    for path, size in garbage.blobs:
        with suppress(FileNotFoundError):
            if not kept and path.name not in needed and _is_old(_inside.status_of(path, folder.root), MIN_AGE_S):
                freed += _unlink(folder, path, size)
    for place in (folder.blobs, folder.trash):
        _inside.remove_empty_folders(place, folder.root)
    return freed


def sizes(store: Store) -> dict[str, int]:
    """Return the bytes of each part of a store: runs, blobs, index and trash."""
    folder = store.folder
    index = store.index.path if store.exists else None
    found = {
        "runs": sum(size for _, size in _files(folder, folder.runs)),
        "blobs": sum(size for _, size in _blobs(folder)),
    }
    found["index"] = index.stat().st_size if index is not None and index.exists() else 0
    found["trash"] = sum(size for _, size in _files(folder, folder.trash))
    return found


def _unlink(folder: Folder, path: Path, size: int) -> int:
    """Delete a file. Return the bytes freed: `size`, or 0 if another process has deleted it."""
    try:
        _inside.unlink(path, folder.root)
    except FileNotFoundError:
        return 0
    return size


def _needed(folder: Folder, kept: list[str]) -> set[str]:
    """Return the hashes that the runs need. If that can't be known, reasons are appended to `kept`."""
    needed: set[str] = set()
    for run_id, files, _ in _by_run(folder, kept):
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


def _by_run(folder: Folder, kept: list[str]) -> Iterator[tuple[str, list[WriterFile], int]]:
    """Yield each run with its files and the descriptor of their folder, which is listed once.

    `kept` is told of folders that can't be.
    """
    closed: list[Path] = []
    for day in folder.days(closed):
        with ExitStack() as stack:
            try:
                above = stack.enter_context(_inside.listed(day, folder.root))
            except PermissionError:
                closed.append(day)
                continue
            for run_id, files in groupby(visible(day, os.listdir(above)), key=lambda item: item.run_id):
                yield run_id, list(files), above
    kept += [f"blobs are left alone: this user can't list {str(place)!r}" for place in closed]


def _read(folder: Folder, run_id: str, files: list[WriterFile]) -> tuple[Record, Writers]:
    try:
        writers = read_writers(files)
        return build_record(folder, run_id, writers), writers
    except FileNotFoundError:  # sealed since the folder was listed
        return read_record(folder, run_id)


def _mentioned(
    folder: Folder, names: frozenset[str], without: Mapping[str, frozenset[str]], kept: list[str]
) -> set[str]:
    """Return the names of blobs that stand anywhere in the files of runs; `without` holds those to ignore, by run.

    `kept` is told of runs that can't be read. Runs with dropped artifacts are read instead, since their files still
    mention those.
    """
    found: set[str] = set()
    for run_id, files, above in _by_run(folder, kept):
        try:
            searched = [_search(item.path, folder, names, above) for item in files]
        except FileNotFoundError:  # sealed since the folder was listed: `_needed` reads it
            continue
        except OSError as error:
            kept.append(f"blobs are left alone: run {run_id} can't be read: {error.strerror}")
            continue
        if any(drops for _, drops in searched):
            told = _needed_by(*_read(folder, run_id, files))
        else:
            told = {name for mentioned, _ in searched for name in mentioned}
        found |= told - without.get(run_id, frozenset())
    return found


def _set_aside(folder: Folder, names: frozenset[str], kept: list[str]) -> set[str]:
    """Return the names of blobs that stand anywhere in the files in quarantine, so that a run can be taken back whole.

    `kept` is told of files that can't be read.
    """
    found: set[str] = set()
    for path, _ in files_in_quarantine(folder) if names else ():
        try:
            found |= _search(path, folder, names)[0]
        except (_inside.OddFile, FileNotFoundError):
            continue
        except OSError as error:
            kept.append(f"blobs are left alone: {str(path)!r} can't be read: {error.strerror}")
    return found


def _named(store: Store, kept: list[str]) -> set[str]:
    """Return the names of blobs that aliases of models name; `kept` is told of models that can't be read."""
    named, damage = named_contents(store)
    kept += [f"blobs are left alone: a model can't be read: {line}" for line in damage]
    return named


def _search(path: Path, folder: Folder, names: frozenset[str], above: int | None = None) -> tuple[set[str], bool]:
    """Return which of some hashes stand in a file, and True if it tells of dropped artifacts.

    `above` is the folder of the file, where the caller has opened it.

    Raises:
        OSError: it can't be read.
    """
    found: set[str] = set()
    drops = False
    rest = b""
    for piece in _inside.pieces(path, folder.root, above=above):
        text = rest + piece
        for part in text.split(b'"'):  # of JSON, where most parts are too short: a third of the time
            if len(part) >= DIGITS:
                found.update(names.intersection(item.decode() for item in SHA256.findall(part)))
        drops = drops or DROPPED in text
        rest = text[-OVERLAP:]
    return found, drops


def _blobs(folder: Folder, older: float = -math.inf) -> Iterator[tuple[Path, int]]:
    yield from _files(folder, folder.blobs, older, lambda name: not name.startswith("."))


def _files(
    folder: Folder, place: Path, older: float = -math.inf, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[tuple[Path, int]]:
    """Yield the files of `wanted` names below a folder that are `older` (in seconds), with their sizes in bytes."""
    for path, status in _inside.walk(place, folder.root, wanted):
        if _is_old(status, older):
            yield path, status.st_size


def _is_draft(name: str) -> bool:
    """Return True for the name of a file that was never completed."""
    return name.startswith(".") and name.endswith(".tmp")


def _marks(folder: Folder) -> Iterator[tuple[Path, int]]:
    """Yield the marks that nobody will ask for: empty ones of the dead; all, if no run is unsealed."""
    marks = list(_files(folder, folder.marks, MIN_AGE_S))
    sealed = marks and not any(path.suffix == ".log" for path, _ in _files(folder, folder.runs))
    yield from (item for item in marks if sealed or (item[1] == 0 and is_of_the_gone(item[0].name)))


def _is_old(status: os.stat_result, seconds: float) -> bool:
    return time.time() - status.st_mtime > seconds
