"""Changes in a store's folder since the index was updated, read and ready to be stored."""

import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from runlore._ids import id_day, id_time
from runlore._inside import folder as open_folder
from runlore._inside import is_regular, list_names, unlink
from runlore._warnings import report
from runlore.errors import FormatError
from runlore.index.database import DAMAGED, LIVE, SILENT, UNSEALED, Sqlite, chunks
from runlore.log import liveness
from runlore.log.events import MAX_EVENT_BYTES
from runlore.log.folder import YOUNG_NS, Folder, WriterFile, holds_more, visible
from runlore.log.frames import DecodeError, fault_text, load_json
from runlore.log.liveness import Life
from runlore.log.long.parts import SEALED_AT_ONCE, Busy, seal_parts
from runlore.log.long.rows import want_numpy
from runlore.log.points import Tally
from runlore.log.reader import Content
from runlore.log.record import DAMAGED as DAMAGED_RUN
from runlore.log.record import Record, Writers, build_record, closing_of, read_writers
from runlore.log.replay import Replay
from runlore.log.sealing import seal

MAX_TRIES = 5  # to read a run whose files are sealed or removed meanwhile
PART_RUNS = 256  # that are read before they are stored, which bounds the memory
PART_BYTES = 32 << 20  # of files, likewise
NEARLY_ALL = 0.99  # the share that is told while only runs with large files are left
LARGE_BYTES = 32 << 20  # of a run's files, which is read behind all others
KNOWN_EVENT_BYTES = 8 << 20  # of a damaged log of which everything but its points is kept


@dataclass(slots=True)
class Change:
    """A run whose files are not as the index knows them. `record` is None where they are gone."""

    day: str
    run_id: str
    files: list[WriterFile]
    states: dict[str, tuple[int, int]] = field(default_factory=dict)  # bytes and ctime (ns) by file name
    record: Record | None = None
    writers: Writers | None = None
    tallies: dict[str, Tally] = field(default_factory=dict)  # by metric
    read_ns: int = 0  # when its files were looked at
    fault: str = ""  # why nothing of it can be used but that it is there

    def fail(self, error: Exception) -> None:
        """Leave the run without its content, which can't be used, and say why."""
        self.fault = fault_text(error)
        self.writers = Writers([], [f"its files can't be used: {self.fault}"])
        self.record = Record(self.run_id, status=DAMAGED_RUN, started=id_time(self.run_id))
        self.tallies = {}
        report(f"run {self.run_id}: its files can't be used: {self.fault}; `runlore quarantine` sets it aside")

    def let_go(self) -> None:
        """Forget the contents of whole sealed files, of which the record has everything: many wait to be stored."""
        if self.writers is not None:
            self.writers.contents = [item for item in self.writers.contents if item.damage or not item.sealed]


@dataclass(slots=True)
class News:
    """Changes in a store's folder since the last look. Days are those of its folders, "2026-11/23".

    A day is told with or behind the last of its changes, so that whoever stores one part after the other can be
    interrupted at any time. `goes_on` says that more follows, and `share` how much of the days was looked at.
    """

    days: list[tuple[str, int]] = field(default_factory=list)  # with the mtime (ns) up to which each is known
    changes: list[Change] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)  # day and run id
    gone_days: list[str] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)  # folders that this user can't list
    goes_on: bool = False
    is_large_left: bool = False  # True where all that follows is runs with large files, each by itself
    put_off: int = 0  # such runs that are left for the next look
    share: float = 1.0
    size: int = 0  # bytes of the files that were read

    def add(self, change: Change) -> None:
        """Add a run that was read."""
        self.changes.append(change)
        self.size += sum(size for size, _ in change.states.values())

    @property
    def is_partial(self) -> bool:
        """True if this user can't read all of it, while others may."""
        return bool(self.closed) or any(change.writers and change.writers.closed for change in self.changes)

    def __bool__(self) -> bool:
        return bool(self.days or self.changes or self.gone or self.gone_days)


def read_news(folder: Folder, database: Sqlite, patience: float | None = None) -> Iterator[News]:
    """Read the runs that are not as the index knows them, in parts of bounded size; the last one may be empty.

    Those with large files come behind all others, each as a part of its own. After `patience` seconds with them, and
    one at least, the rest is put off until the next look.
    This is slow, so that no transaction should be open meanwhile; the parts before are best stored at once.
    """
    known = dict(database.query("SELECT day, mtime FROM days"))
    part = News()
    days = _days(folder, part.closed)
    touched = [item for item in days.items() if not item[1] or known.get(item[0]) != item[1]]
    late: dict[tuple[str, int], list[Change]] = {}  # runs with large files, by day and its mtime
    for place, (day, mtime) in enumerate(touched):
        changes = _compare_day(part, folder, database, day)
        with _entered(folder, day if changes else None) as above:
            for change in changes or ():
                if _is_large(change):
                    late.setdefault((day, mtime), []).append(change)
                    continue
                _read_change(folder, change, _known_replays(folder, database, change), above=above)
                part.add(change)
                if len(part.changes) >= PART_RUNS or part.size >= PART_BYTES:
                    part.goes_on, part.share = True, place / len(touched)
                    yield part
                    part = News(closed=part.closed)
        if changes is not None and (day, mtime) not in late:
            part.days.append((day, mtime))
    part.gone_days = list(known.keys() - days.keys())
    for change in list(_live_changes(part, folder, database)):
        _read_change(folder, change, _known_replays(folder, database, change))
        part.add(change)
    if part.days and not (part.changes or part.gone or part.gone_days):
        part.days = [item for item in part.days if known.get(item[0]) != item[1]]
    if late:
        part.goes_on, part.is_large_left, part.share = True, True, NEARLY_ALL
    yield part
    part.changes.clear()
    yield from _large_news(folder, database, late, patience)


def _large_news(
    folder: Folder, database: Sqlite, late: dict[tuple[str, int], list[Change]], patience: float | None
) -> Iterator[News]:
    """Read runs with large files, by day, each as a part of its own, until patience is at an end."""
    begun = time.monotonic()
    left = sum(map(len, late.values()))
    for day, changes in late.items():
        while changes:
            change = changes.pop(0)
            _read_change(folder, change, _known_replays(folder, database, change))
            left -= 1
            part = News([] if changes else [day], [change], goes_on=left > 0, share=NEARLY_ALL if left else 1.0)
            if left and patience is not None and time.monotonic() - begun > patience:
                part.put_off, part.goes_on, part.share = left, False, 1.0
            yield part
            part.changes.clear()  # what was stored makes room for the next one
            if part.put_off:
                return
            del change


def _is_large(change: Change) -> bool:
    """Return True for a run that may take long to be read, or much memory."""
    with suppress(OSError):
        return sum(os.lstat(item.path).st_size for item in change.files) > LARGE_BYTES  # noqa: PTH116
    return False


def seal_waiting(folder: Folder, database: Sqlite, budget: int) -> list[str]:
    """Seal logs of dead writers that an earlier look has left, a part of one at least; see `seal_dead`.

    Return the ids of runs whose logs can't be sealed.
    """
    refused = []
    rows = database.query(
        f"SELECT f.day, f.run, SUM(f.size) FROM runs r JOIN files f ON f.run = r.id WHERE r.live = {UNSEALED} "
        "GROUP BY f.day, f.run ORDER BY f.run"
    )
    for place, (day, run_id, size) in enumerate(rows):
        if place and budget <= 0:
            break
        change = Change(day, run_id, [])
        waiting = False
        if os.access(folder.runs / day, os.W_OK):
            _read_change(folder, change, _known_replays(folder, database, change), summed=False)
            waiting = seal_dead(folder, [change], max(budget, 1))
        budget -= size
        if not waiting and any(not item.sealed for item in folder.files_of(run_id)):
            refused.append(run_id)
    return refused


def seal_dead(folder: Folder, changes: Sequence[Change], budget: int | None = None) -> bool:
    """Seal the logs whose writers died, up to `budget` bytes of them; return True if more can be sealed later.

    A log that can't be sealed stays.
    """
    for change in changes:
        for item in change.files if _has_log(change.files) else ():
            log = item.path.with_suffix(".log")
            if item.sealed and is_regular(log) and not holds_more(log, item.path):
                with suppress(OSError):  # its writer died before it removed the log
                    unlink(log)
    goes_on = False
    for log, closing in _dead_logs(folder, changes):
        if budget is not None and budget <= 0:
            return True
        with suppress(OSError, FormatError):
            size = log.stat().st_size
            goes_on |= _seal(log, closing, size if budget is None else budget)
            budget = None if budget is None else budget - size
    return goes_on


def _has_log(files: Sequence[WriterFile]) -> bool:
    """Return True if a log lies beside a sealed file."""
    return any(item.sealed and os.path.lexists(f"{os.fspath(item.path)[:-4]}.log") for item in files)


def _seal(log: Path, closing: dict[str, Any] | None, room: int) -> bool:
    """Seal a log, a long one by parts up to so many bytes; return True if more is to be sealed later."""
    size = log.stat().st_size
    want_numpy(size)
    if size <= SEALED_AT_ONCE:
        seal(log, closing)
        return False
    try:
        return seal_parts(log, closing, room)
    except Busy:
        return True


def _days(folder: Folder, closed: list[Path]) -> dict[str, int]:
    """Return the folders of days with their mtime in ns; 0 while one may change again without its mtime showing it."""
    young = time.time_ns() - YOUNG_NS
    return {day: 0 if mtime > young else mtime for day, mtime in folder.day_times(closed).items()}


@contextmanager
def _entered(folder: Folder, day: str | None) -> Iterator[int | None]:
    """Open the folder of a day once for all files that are read of it; None where there is none, or it is closed."""
    with ExitStack() as held:
        above = None
        with suppress(OSError):
            above = held.enter_context(open_folder(folder.runs / day, folder.root)) if day else None
        yield above


def _compare_day(news: News, folder: Folder, database: Sqlite, day: str) -> list[Change] | None:
    """Return the runs of a day whose files are not the known ones; None if its folder can't be listed.

    Runs whose files are gone are added to `news`.
    """
    path = folder.runs / day
    try:
        names = set(list_names(path, folder.root))
    except PermissionError:
        news.closed.append(path)
        return None
    # Most runs have the known names, and need no further look:
    rows = database.query("SELECT name FROM files WHERE day = ?", (day,))
    differing = names.symmetric_difference(chain.from_iterable(rows))
    known = _known_files(database, day, {name.partition(".")[0] for name in differing})
    runs: dict[str, list[WriterFile]] = {run_id: [] for run_id in known}
    for item in visible(path, names & differing.union(*known.values())):
        if id_day(item.run_id) == day:  # else it is a copy of another day's
            runs.setdefault(item.run_id, []).append(item)
    news.gone += [(day, run_id) for run_id, files in runs.items() if not files]
    return [
        Change(day, run_id, files)
        for run_id, files in runs.items()
        if files and known.get(run_id) != {item.path.name for item in files}
    ]


def _known_files(database: Sqlite, day: str, runs: Collection[str]) -> dict[str, set[str]]:
    """Return the names of a day's files by run, of those among some runs that the index knows."""
    known: dict[str, set[str]] = {}
    for marks, some in chunks(sorted(runs)):
        sql = f"SELECT run, name FROM files WHERE day = ? AND run IN {marks}"
        for run_id, name in database.query(sql, (day, *some)):
            known.setdefault(run_id, set()).add(name)
    return known


def _live_changes(news: News, folder: Folder, database: Sqlite) -> Iterator[Change]:
    """Yield live runs, if a file grew or its writer died, and silent and damaged ones that have changed."""
    changed = {change.run_id for change in news.changes} | {run_id for _, run_id in news.gone}
    rows = database.query(
        "SELECT f.day, f.run, f.name, f.size, f.ctime, f.identity, r.live "
        f"FROM runs r JOIN files f ON f.run = r.id WHERE r.live IN ({LIVE}, {SILENT}, {DAMAGED})"
    )
    for day, run_id, name, size, ctime, identity, live in rows:
        path = folder.runs.joinpath(day, name)
        changes = _has_changed(path, size, identity) if live == LIVE else _has_another_state(path, (size, ctime))
        if run_id not in changed and changes:
            changed.add(run_id)
            yield Change(day, run_id, [])


def _has_changed(path: Path, size: int, identity: str | None) -> bool:
    """Return True if a file of a live run grew, was sealed or removed, or lost its writer."""
    try:
        found = os.lstat(path)  # noqa: PTH116  # pathlib takes twice as long
        if path.suffix == ".run":
            return False
        if found.st_size != size:
            return True
        return not liveness.is_alive(path, found, lambda: load_json(identity.encode()) if identity else {})
    except (OSError, DecodeError):
        return True


def _has_another_state(path: Path, known: tuple[int, int]) -> bool:
    try:
        return _state(path) != known
    except OSError:
        return True


def _state(path: Path) -> tuple[int, int]:
    """Return size and ctime (ns) of a file, which changes with its mode, too; -1 and 0 where nothing is told."""
    try:
        status = os.lstat(path)  # noqa: PTH116  # pathlib takes twice as long
    except PermissionError:
        return -1, 0
    return status.st_size, status.st_ctime_ns


def known_replays(database: Sqlite, folder: Folder, day: str, run_id: str) -> dict[str, Replay]:
    """Return how far the logs of a run were read, by file name; `settled` are those that have not changed since.

    Of a damaged run that holds for the whole log or not at all, as it may be arriving.
    """
    sql = (
        "SELECT f.name, f.size, f.ctime, f.replay, r.live FROM files f JOIN runs r ON r.id = f.run "
        "WHERE f.day = ? AND f.run = ? AND f.replay IS NOT NULL"
    )
    replays = {}
    for name, size, ctime, text, live in database.query(sql, (day, run_id)):
        with suppress(DecodeError):
            replay = Replay.decode(text)
            replay.settled &= not _has_another_state(folder.runs.joinpath(day, name), (size, ctime))
            if replay.settled or live == LIVE or not (live == DAMAGED or replay.damage or replay.broken):
                replays[name] = replay
    return replays


def _known_replays(folder: Folder, database: Sqlite, change: Change) -> dict[str, Replay]:
    if change.files and all(item.sealed for item in change.files):
        return {}
    return known_replays(database, folder, change.day, change.run_id)


def _read_change(
    folder: Folder, change: Change, replays: dict[str, Replay], *, summed: bool = True, above: int | None = None
) -> None:
    """Read the files of a run, listed again while they are sealed or removed; its metrics, unless `summed` is false.

    For `above`, the folder of its day, see `open_binary`.
    """
    for _ in range(MAX_TRIES):
        try:
            change.files = change.files or folder.files_of(change.run_id)
            change.read_ns = time.time_ns()
            change.states = {item.path.name: _state(item.path) for item in change.files}
            change.writers = read_writers(change.files, replays, above)
            change.tallies = change.writers.tallies() if summed else {}
            change.record = build_record(folder, change.run_id, change.writers)
            change.let_go()
            return
        except FileNotFoundError:
            change.files, above = [], None
        except PermissionError as error:  # the folder was closed to this user since it was listed
            change.writers = Writers([], [f"its folder: {error.strerror}"], closed=True)
            change.record = build_record(folder, change.run_id, change.writers)
            return
        except Exception as error:  # of files that somebody else has written: a fault in one run costs no other
            change.fail(error)
            return
    change.record = None


def _dead_logs(folder: Folder, changes: Iterable[Change]) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """Yield the undamaged logs whose writers died, each with the end record that a signal left, if one did."""
    for change in changes:
        for content in change.writers.contents if change.writers else []:
            if is_dead_log(content):
                yield content.path, closing_of(folder, content)


def is_dead_log(content: Content) -> bool:
    """Return True for a log whose writer died, and that loses nothing when it is sealed."""
    replay = content.replay
    is_whole = not (content.damage or content.orphans or (replay is not None and replay.broken))
    return not content.sealed and content.life is Life.DEAD and is_whole


def note_settled(change: Change, content: Content) -> bool:
    """Note whether a log was not being changed as it was read; return True if no command need read it anew.

    That is a damaged one with few events.
    """
    replay = content.replay
    if replay is None:
        return False
    _, ctime = change.states.get(content.path.name, (0, 0))
    replay.settled = content.life is not Life.ALIVE and 0 < ctime < change.read_ns - YOUNG_NS
    few = MAX_EVENT_BYTES - replay.room.size <= KNOWN_EVENT_BYTES
    return few and replay.settled and content.damaged_bytes > 0
