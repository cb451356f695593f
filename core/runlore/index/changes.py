"""Changes in a store's folder since the index was updated, read and ready to be stored."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runlore._ids import id_day
from runlore.errors import FormatError
from runlore.index.database import DAMAGED, LIVE, Sqlite
from runlore.log import liveness
from runlore.log.folder import YOUNG_NS, Folder, WriterFile, holds_more, visible
from runlore.log.frames import DecodeError
from runlore.log.liveness import Life
from runlore.log.points import Tally
from runlore.log.reader import Content, Replay
from runlore.log.record import Record, Writers, build_record, closing_of, read_writers
from runlore.log.sealing import seal

MAX_TRIES = 5  # to read a run whose files are sealed or removed meanwhile


@dataclass(slots=True)
class Change:
    """A run whose files are not as the index knows them. `record` is None where they are gone."""

    day: str
    run_id: str
    files: list[WriterFile]
    states: dict[str, tuple[int, int]] = field(default_factory=dict)  # bytes and mtime (ns) by file name
    record: Record | None = None
    writers: Writers | None = None
    tallies: dict[str, Tally] = field(default_factory=dict)  # by metric


@dataclass(slots=True)
class News:
    """The changes in a store's folder since the last look. Days are those of its folders, "2026-11/23"."""

    days: list[tuple[str, int]] = field(default_factory=list)  # with the mtime (ns) up to which each is known
    changes: list[Change] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)  # day and run id
    gone_days: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.days or self.changes or self.gone or self.gone_days)


def read_all(folder: Folder) -> News:
    """Read every run."""
    news = News()
    for day, path, mtime in _days(folder):
        news.days.append((day, mtime))
        _compare_day(news, day, path, {})
    for change in news.changes:
        _read_change(folder, change, {})
    return news


def read_news(folder: Folder, database: Sqlite) -> News:
    """Read the runs that are not as the index knows them; slow, so that no transaction should be open meanwhile."""
    news = News()
    known = dict(database.query("SELECT day, mtime FROM days"))
    seen = set()
    for day, path, mtime in _days(folder):
        seen.add(day)
        if not mtime or known.get(day) != mtime:
            news.days.append((day, mtime))
            _compare_day(news, day, path, _known_files(database, day))
    news.gone_days = [day for day in known if day not in seen]
    _compare_live(news, folder, database)
    if news.days and not (news.changes or news.gone or news.gone_days):
        news.days = [item for item in news.days if known.get(item[0]) != item[1]]
    for change in news.changes:
        _read_change(folder, change, _known_replays(database, change))
    return news


def seal_dead(folder: Folder, news: News, budget: int | None = None) -> None:
    """Seal the logs whose writers died, up to `budget` bytes of them; a log that can't be sealed stays."""
    for change in news.changes:
        for item in change.files:
            log = item.path.with_suffix(".log")
            if item.sealed and log.exists() and not holds_more(log, item.path):
                with suppress(OSError):  # its writer died before it removed the log
                    log.unlink()
    for log, closing in _dead_logs(folder, news.changes):
        with suppress(OSError, FormatError):
            if budget is not None:
                budget -= log.stat().st_size
                if budget < 0:
                    return
            seal(log, closing)


def _days(folder: Folder) -> Iterator[tuple[str, Path, int]]:
    """Yield the folders of days with their mtime in ns; 0 while one may change again without its mtime showing it."""
    for path in folder.days():
        mtime = path.stat().st_mtime_ns
        yield path.relative_to(folder.runs).as_posix(), path, 0 if time.time_ns() - mtime < YOUNG_NS else mtime


def _known_files(database: Sqlite, day: str) -> dict[str, set[str]]:
    """Return the names of a day's files by run."""
    known: dict[str, set[str]] = {}
    for run_id, name in database.query("SELECT run, name FROM files WHERE day = ?", (day,)):
        known.setdefault(run_id, set()).add(name)
    return known


def _compare_day(news: News, day: str, path: Path, known: Mapping[str, set[str]]) -> None:
    """Add the runs of a day whose files are not the known ones."""
    names = os.listdir(path)
    # Most runs have the known names, and need no further look:
    differing = set(names) ^ {name for files in known.values() for name in files}
    touched = {name.partition(".")[0] for name in differing}
    runs: dict[str, list[WriterFile]] = {run_id: [] for run_id in touched & known.keys()}
    for item in visible(path, [name for name in names if name.partition(".")[0] in touched]):
        if id_day(item.run_id) == day:  # else it is a copy of another day's
            runs.setdefault(item.run_id, []).append(item)
    for run_id, files in runs.items():
        if not files:
            news.gone.append((day, run_id))
        elif known.get(run_id) != {item.path.name for item in files}:
            news.changes.append(Change(day, run_id, files))


def _compare_live(news: News, folder: Folder, database: Sqlite) -> None:
    """Add the runs that were being written, if a file grew or its writer died, and damaged ones that have changed."""
    changed = {change.run_id for change in news.changes} | {run_id for _, run_id in news.gone}
    rows = database.query(
        "SELECT f.day, f.run, f.name, f.size, f.mtime, f.replay, r.live "
        f"FROM runs r JOIN files f ON f.run = r.id WHERE r.live IN ({LIVE}, {DAMAGED})"
    )
    for day, run_id, name, size, mtime, replay, live in rows:
        path = folder.runs / day / name
        changes = _has_changed(path, size, replay) if live == LIVE else _has_another_state(path, (size, mtime))
        if run_id not in changed and changes:
            changed.add(run_id)
            news.changes.append(Change(day, run_id, []))


def _has_changed(path: Path, size: int, replay: str | None) -> bool:
    """Return True if a file of a live run grew, was sealed or removed, or lost its writer."""
    if path.suffix == ".run":
        return not path.exists()
    try:
        if path.stat().st_size != size:
            return True
        opening = next((event for _, event in Replay.decode(replay or "{}").events if event["type"] == "open"), {})
        return liveness.life_of(path, opening) is not Life.ALIVE
    except (OSError, DecodeError):
        return True


def _has_another_state(path: Path, known: tuple[int, int]) -> bool:
    try:
        return _state(path) != known
    except OSError:
        return True


def _state(path: Path) -> tuple[int, int]:
    """Return size and mtime (ns) of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _known_replays(database: Sqlite, change: Change) -> dict[str, Replay]:
    """Return how far the logs of a run were read, by file name."""
    sql = "SELECT name, replay FROM files WHERE day = ? AND run = ? AND replay IS NOT NULL"
    replays = {}
    for name, replay in database.query(sql, (change.day, change.run_id)):
        with suppress(DecodeError):
            replays[name] = Replay.decode(replay)
    return replays


def _read_change(folder: Folder, change: Change, replays: dict[str, Replay]) -> None:
    """Read the files of a run, listed again while they are sealed or removed."""
    for _ in range(MAX_TRIES):
        change.files = change.files or folder.files_of(change.run_id)
        try:
            change.states = {item.path.name: _state(item.path) for item in change.files}
            change.writers = read_writers(change.files, replays)
            change.tallies = change.writers.tallies()
            change.record = build_record(folder, change.run_id, change.writers)
            return
        except FileNotFoundError:
            change.files = []
    change.record = None


def _dead_logs(folder: Folder, changes: Iterable[Change]) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """Yield the undamaged logs whose writers died, each with the end record that SIGTERM left, if it did."""
    for change in changes:
        for content in change.writers.contents if change.writers else []:
            if not content.sealed and content.life is Life.DEAD and _is_whole(content):
                yield content.path, closing_of(folder, content)


def _is_whole(content: Content) -> bool:
    """Return True if nothing of a log is damaged, so that it loses nothing when it is sealed."""
    replay = content.replay
    return not (content.damage or content.orphans or (replay is not None and replay.broken))
