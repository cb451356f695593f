"""Set the files of runs aside that are damaged or that somebody else has made, and take them back."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runlore import _ids, _inside
from runlore._inside import OddFile
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
    names = _names(folder.day(run_id), folder, run_id)
    if not names:
        raise RunNotFound(f"run {run_id} has no files in {str(folder.root)!r}")
    logs = [content for content in read_files(folder, run_id).contents if not content.sealed]
    if any(log.life is Life.ALIVE and log.end is None for log in logs):
        raise StillRunning(f"run {run_id} is still being written: end it first, or try again in two minutes")
    return _move(folder, folder.runs, folder.quarantine, run_id, names)


def take_back(folder: Folder, run_id: str) -> list[Path]:
    """Move all files of a run back from `quarantine`; return where they are.

    Raises:
        RunNotFound: it is not in quarantine.
        PlaceTaken: a file of the same name is there.
        StoreRefused: the quarantine is a link.
        OSError: the store can't be written.
    """
    is_id = _ids.is_run_id(run_id)
    names = _names(folder.quarantine / _ids.id_day(run_id), folder, run_id) if is_id else []
    if not names:
        what = f"run {run_id!r} is not in quarantine" if is_id else f"{run_id!r} is no whole id of a run"
        raise RunNotFound(f"{what}: `runlore quarantine` lists those that are there")
    return _move(folder, folder.quarantine, folder.runs, run_id, names)


def in_quarantine(folder: Folder) -> dict[str, int]:
    """Return the runs in quarantine, oldest first: the bytes of their files by id."""
    sizes: dict[str, int] = {}
    for path, size in files_in_quarantine(folder):
        run_id = path.name.partition(".")[0]
        sizes[run_id] = sizes.get(run_id, 0) + size
    return dict(sorted(sizes.items()))


def files_in_quarantine(folder: Folder) -> Iterator[tuple[Path, int]]:
    """Yield the files of runs in quarantine with their sizes in bytes; none where it is a link."""
    with suppress(OddFile):
        for path, status in _inside.walk(folder.quarantine, folder.root):
            if _ids.is_run_id(path.name.partition(".")[0]):
                yield path, status.st_size


def _move(folder: Folder, source: Path, target: Path, run_id: str, names: list[str]) -> list[Path]:
    day = _ids.id_day(run_id)
    try:
        make_folder(target / day, folder.root)
        there = set(_inside.list_names(target / day, folder.root))
        taken = next((name for name in names if name in there), None)
        if taken is not None:
            raise PlaceTaken(f"{str(target / day / taken)!r} is there already: move it away first")
        for name in names:
            _inside.rename(source / day / name, target / day / name, folder.root)
    except OddFile as error:
        raise StoreRefused(f"{error}: it may be a link, which leads elsewhere, so nothing was moved") from None
    return [target / day / name for name in names]


def _names(day: Path, folder: Folder, run_id: str) -> list[str]:
    """Return the names of a run's files in the folder of a day."""
    try:
        return sorted(name for name in _inside.list_names(day, folder.root) if name.startswith(f"{run_id}."))
    except (FileNotFoundError, OddFile):
        return []
