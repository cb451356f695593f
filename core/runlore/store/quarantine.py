"""Set the files of runs aside that are damaged or that somebody else has made, and take them back."""

import os
from collections.abc import Iterator
from pathlib import Path

from runlore import _ids
from runlore._sharing import make_folder
from runlore.errors import PlaceTaken, RunNotFound, StillRunning, StoreRefused
from runlore.log.folder import Folder
from runlore.log.liveness import Life
from runlore.log.record import read_files


def set_aside(folder: Folder, run_id: str) -> list[Path]:
    """Move all files of a run from `runs` to the same place in `quarantine`; return where they are.

    No reader looks there. Children of the run stay, and so do the contents that it names.

    Raises:
        RunNotFound: it has no files.
        StillRunning: it is being written.
        StoreRefused: the quarantine is a link.
        OSError: the store can't be written.
    """
    if not _names(folder.day(run_id), run_id):
        raise RunNotFound(f"run {run_id} has no files in {str(folder.root)!r}")
    logs = [content for content in read_files(folder, run_id).contents if not content.sealed]
    if any(log.life is Life.ALIVE and log.end is None for log in logs):
        raise StillRunning(f"run {run_id} is still being written: end it first, or try again in two minutes")
    return _move(folder, folder.runs, folder.quarantine, run_id)


def take_back(folder: Folder, run_id: str) -> list[Path]:
    """Move all files of a run back from `quarantine`; return where they are.

    Raises:
        RunNotFound: it is not in quarantine.
        PlaceTaken: a file of the same name is there.
        StoreRefused: the quarantine is a link.
        OSError: the store can't be written.
    """
    if not _ids.is_run_id(run_id) or not _names(folder.quarantine / _ids.id_day(run_id), run_id):
        raise RunNotFound(f"run {run_id} is not in quarantine: `runlore quarantine` lists the runs that are")
    return _move(folder, folder.quarantine, folder.runs, run_id)


def in_quarantine(folder: Folder) -> dict[str, int]:
    """Return the runs in quarantine, oldest first: the bytes of their files by id."""
    sizes: dict[str, int] = {}
    for path in files_in_quarantine(folder):
        run_id = path.name.partition(".")[0]
        sizes[run_id] = sizes.get(run_id, 0) + path.lstat().st_size
    return dict(sorted(sizes.items()))


def files_in_quarantine(folder: Folder) -> Iterator[Path]:
    """Yield the files in quarantine; links to other folders are not followed."""
    for parent, _, names in os.walk(folder.quarantine) if not folder.quarantine.is_symlink() else ():
        yield from (Path(parent, name) for name in sorted(names) if _ids.is_run_id(name.partition(".")[0]))


def _move(folder: Folder, source: Path, target: Path, run_id: str) -> list[Path]:
    day = _ids.id_day(run_id)
    for place in (source, target, (source / day).parent, source / day, (target / day).parent, target / day):
        if place.is_symlink():
            raise StoreRefused(f"{str(place)!r} is a link, which may lead out of the store: nothing was moved")
    make_folder(target / day, folder.root)
    names = _names(source / day, run_id)
    taken = next((name for name in names if os.path.lexists(target / day / name)), None)
    if taken is not None:
        raise PlaceTaken(f"{str(target / day / taken)!r} is there already: move it away first")
    return [(source / day / name).rename(target / day / name) for name in names]


def _names(day: Path, run_id: str) -> list[str]:
    """Return the names of a run's files in the folder of a day."""
    try:
        return sorted(name for name in os.listdir(day) if name.startswith(f"{run_id}."))
    except (FileNotFoundError, NotADirectoryError):
        return []
