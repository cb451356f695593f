"""Remove runs into the trash of their store, and bring them back."""

import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runlore import _ids, _inside
from runlore._sharing import make_folder
from runlore.errors import RunloreError, RunNotReadable, StillNamed, StillRunning
from runlore.index.select import find_below
from runlore.log.liveness import Life
from runlore.log.record import read_record
from runlore.store.models import versions_of
from runlore.store.runs import RecordedRun
from runlore.store.store import Store

PINNED = "pinned"  # the tag of runs that must not be removed
NOTHING_TO_UNDO = "nothing was removed that could be brought back"


class Pinned(RunloreError, ValueError):
    """Pinned runs can't be removed."""

    def __init__(self, runs: Sequence[RecordedRun]) -> None:
        run = runs[0]
        super().__init__(f"run {run.name!r} ({run.id}) is pinned: `runlore pin --off {run.id}` first")
        self.runs = list(runs)


class NothingToUndo(RunloreError, LookupError):
    """There is no removal to undo: none was made, or its files are gone."""


def remove(store: Store, runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """Move runs and their descendants into the trash. Return the runs that were removed.

    `undo` brings them back, until `collect` deletes the files in the trash.

    Raises:
        StillRunning, Pinned, StillNamed, RunNotReadable: as of `removable`; nothing is removed then.
        OSError: the store can't be written.
    """
    chosen = removable(store, runs)
    place = store.folder.trash / _ids.new_run_id(time.time_ns() // 1000)
    for run in chosen:
        day = store.folder.day(run.id)
        target = place / _ids.id_day(run.id)
        make_folder(target, store.root)
        for name in sorted(_inside.list_names(day, store.root)):
            if name.startswith(f"{run.id}."):
                _inside.rename(day / name, target / name, store.root)
    return chosen


def removable(store: Store, runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """Return runs and their descendants if all of them can be removed.

    Raises:
        StillRunning: one of them is being written.
        Pinned: one of them is pinned.
        StillNamed: an alias of a model names a version of one of them.
        RunNotReadable: this user can't read one of them.
    """
    chosen = with_descendants(runs)
    versions = versions_of(store, [run.id for run in chosen])
    for run in chosen:
        named = [(version.model, alias) for version in versions[run.id] for alias in version.aliases]
        if named:
            told = ", ".join(f"{model}@{alias}" for model, alias in named)
            raise StillNamed(
                f"run {run.name!r} ({run.id}) is behind {told}: let each alias name another version first, or take it "
                f"off with `runlore model rm {named[0][0]} {named[0][1]}`"
            )
        if PINNED in run.tags:
            raise Pinned([other for other in chosen if PINNED in other.tags])
        _, writers = read_record(store.folder, run.id)
        if writers.closed:
            raise RunNotReadable(f"run {run.id} can't be read by this user: whether it is still written is not known")
        if any(content.life is Life.ALIVE and not content.sealed for content in writers.contents):
            raise StillRunning(f"run {run.name!r} ({run.id}) is still being written: end it first")
    return chosen


def with_descendants(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """Return some runs of one store and all their descendants, each once."""
    found = {run.id: run for run in runs}
    if not found:
        return []
    store = runs[0].store
    below = store.ask(find_below, list(found))
    return [*found.values(), *store.known([run_id for children in below.values() for run_id in children])]


def last_removal(store: Store) -> dict[str, int]:
    """Return the runs that `undo` would bring back: the bytes of their files, by id.

    Raises:
        NothingToUndo: nothing was removed, or the trash was emptied.
    """
    for place in _removals(store):
        sizes: dict[str, int] = {}
        for path, size in _files(place, store.root):
            run_id = path.name.partition(".")[0]
            sizes[run_id] = sizes.get(run_id, 0) + size
        if sizes:
            return sizes
    raise NothingToUndo(NOTHING_TO_UNDO)


def undo(store: Store) -> list[str]:
    """Bring back the runs of the last removal. Return their ids.

    Raises:
        NothingToUndo: nothing was removed, or the trash was emptied.
    """
    for place in _removals(store):
        found = set()
        mine = place.with_name(f".{place.name}.{_ids.new_suffix(4)}")
        with suppress(FileNotFoundError):  # another process is undoing this removal
            _inside.rename(place, mine, store.root)
            for path, _ in _files(mine, store.root):
                target = store.folder.runs / path.relative_to(mine)
                make_folder(target.parent, store.root)
                _inside.rename(path, target, store.root)
                found.add(path.name.partition(".")[0])
            _inside.remove_tree(mine, store.root)
        if found:
            return sorted(found)
    raise NothingToUndo(NOTHING_TO_UNDO)


def _removals(store: Store) -> list[Path]:
    """Return the folders of the removals in the trash, newest first."""
    trash = store.folder.trash
    try:
        names = _inside.list_folders(trash, store.root)
    except FileNotFoundError:
        return []
    return [trash / name for name in sorted(names, reverse=True) if not name.startswith(".")]


def _files(place: Path, root: Path) -> list[tuple[Path, int]]:
    """Return the files of runs in a removal with their sizes in bytes; what lies elsewhere in it belongs to no run."""
    found = []
    for path, status in _inside.walk(place, root):
        run_id = path.name.partition(".")[0]
        is_runs = _ids.is_run_id(run_id) and path.parent == place / _ids.id_day(run_id)
        if is_runs and stat.S_ISREG(status.st_mode):
            found.append((path, status.st_size))
    return sorted(found)
