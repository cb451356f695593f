"""Remove runs into the trash, and bring them back."""

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runlore import _ids
from runlore.errors import RunloreError
from runlore.log.liveness import Life
from runlore.log.record import read_record

if TYPE_CHECKING:
    from runlore.store.runs import RecordedRun
    from runlore.store.store import Store


PINNED = "pinned"  # the tag of runs that are to be kept

NOTHING = "nothing was removed that could be brought back"


class StillRunning(RunloreError, ValueError):
    """A run that is being written can't be removed."""


class Pinned(RunloreError, ValueError):
    """A run that somebody wants to keep can't be removed."""


class NothingToUndo(RunloreError, LookupError):
    """No removal is left that could be undone."""


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
