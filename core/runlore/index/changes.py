"""Looking at a store's folder: what changed since the index last knew it, read and ready to be stored."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runlore._ids import id_day
from runlore.index.database import Sqlite
from runlore.log import liveness
from runlore.log.folder import YOUNG, Folder, WriterFile, visible
from runlore.log.liveness import Life
from runlore.log.reader import FOREIGN, Content, Replay
from runlore.log.record import Record, Writers, build_record, closing_of, read_writers
from runlore.log.sealing import seal


@dataclass(slots=True)
class Change:
    """A run whose files are not as the index knows them, and what was read of it."""

    day: str
    run_id: str
    files: list[WriterFile]
    sizes: dict[str, int] = field(default_factory=dict)
    record: Record | None = None
    writers: Writers | None = None


@dataclass(slots=True)
class News:
    """What a look at the folder found."""

    days: list[tuple[str, int]] = field(default_factory=list)  # with the time up to which each is known
    changes: list[Change] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)  # day and run
    gone_days: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.days or self.changes or self.gone or self.gone_days)


class Lookout:
    """Compares a folder with what a database knows of it. Writes nothing."""

    def __init__(self, folder: Folder, database: Sqlite) -> None:
        self._folder = folder
        self._database = database

    def look(self, *, everything: bool = False) -> News:
        """What is not as the database knows it, or `everything` that there is."""
        news = News()
        known = {} if everything else dict(self._database.query("SELECT day, mtime FROM days"))
        seen = set()
        for path in self._folder.days():
            day = path.relative_to(self._folder.runs).as_posix()
            seen.add(day)
            mtime = path.stat().st_mtime_ns
            if known.get(day) == mtime:
                continue
            young = time.time_ns() - mtime < YOUNG
            news.days.append((day, 0 if young else mtime))
            self._look_at_day(news, path, day, everything=everything)
        if not everything:
            news.gone_days = [day for day in known if day not in seen]
            self._look_at_live(news)
        if news.days and not (news.changes or news.gone or news.gone_days):
            news.days = [item for item in news.days if known.get(item[0]) != item[1]]
        return news

    def _look_at_day(self, news: News, path: Path, day: str, *, everything: bool) -> None:
        names = os.listdir(path)
        known: dict[str, set[str]] = {}
        rows = [] if everything else self._database.query("SELECT run, name FROM files WHERE day = ?", (day,))
        for run_id, name in rows:
            known.setdefault(run_id, set()).add(name)
        # Of most runs the names are those that are known, and need no further look:
        differing = set(names).symmetric_difference(name for _, name in rows)
        touched = {name.partition(".")[0] for name in differing}
        runs: dict[str, list[WriterFile]] = {run_id: [] for run_id in touched & known.keys()}
        for item in visible(path, [name for name in names if name.partition(".")[0] in touched]):
            if id_day(item.run_id) != day:
                continue  # somebody's copy of another day
            runs.setdefault(item.run_id, []).append(item)
        for run_id, files in runs.items():
            if not files:
                news.gone.append((day, run_id))
            elif known.get(run_id) != {item.path.name for item in files}:
                news.changes.append(Change(day, run_id, files))

    def _look_at_live(self, news: News) -> None:
        """Runs that somebody may still write to: did a file grow, or its writer die?"""
        changed = {change.run_id for change in news.changes} | {run_id for _, run_id in news.gone}
        rows = self._database.query(
            "SELECT f.day, f.run, f.name, f.size, f.replay FROM runs r JOIN files f ON f.run = r.id WHERE r.live = 1"
        )
        for day, run_id, name, size, replay in rows:
            if run_id not in changed and self._has_moved(self._folder.runs / day / name, size, replay):
                changed.add(run_id)
                news.changes.append(Change(day, run_id, []))

    def _has_moved(self, path: Path, size: int, replay: str | None) -> bool:
        if path.suffix == ".run":
            return not path.exists()
        try:
            if path.stat().st_size != size:
                return True
            opening = next((event for _, event in Replay.decode(replay or "{}").events if event["type"] == "open"), {})
            return liveness.life_of(path, opening) is not Life.ALIVE
        except (OSError, KeyError):
            return True

    def read(self, news: News) -> None:
        """Read the changed runs; slow, so it stands outside of any transaction."""
        for change in news.changes:
            self._read_change(change)

    def _read_change(self, change: Change) -> None:
        replays = {}
        for name, replay in self._stored_replays(change.day, change.run_id):
            with suppress(ValueError, KeyError):
                replays[name] = Replay.decode(replay)
        for _ in range(5):
            change.files = change.files or self._folder.files_of(change.run_id)
            try:
                change.sizes = {item.path.name: item.path.stat().st_size for item in change.files}
                change.writers = read_writers(change.files, replays)
                change.record = build_record(self._folder, change.run_id, change.writers)
                return
            except FileNotFoundError:
                change.files = []
        change.record = None

    def _stored_replays(self, day: str, run_id: str) -> list[tuple[str, str]]:
        if not self._database.has_tables():
            return []
        sql = "SELECT name, replay FROM files WHERE day = ? AND run = ? AND replay IS NOT NULL"
        return [(name, replay) for name, replay in self._database.query(sql, (day, run_id))]


def seal_dead(folder: Folder, news: News, budget: int | None = None) -> None:
    """Seal the logs whose writers are gone, up to `budget` bytes of them; what can't be sealed stays a log."""
    for change in news.changes:
        for item in change.files:
            if item.sealed:  # its writer may have died before it removed the log
                with suppress(OSError):
                    item.path.with_suffix(".log").unlink()
    for _, log, closing in _dead_logs(folder, news.changes):
        with suppress(*FOREIGN):
            if budget is not None:
                budget -= log.stat().st_size
                if budget < 0:
                    return
            seal(log, closing)


def _dead_logs(folder: Folder, changes: Iterable[Change]) -> Iterator[tuple[str, Path, dict[str, Any] | None]]:
    for change in changes:
        for content in change.writers.contents if change.writers else []:
            if not content.sealed and content.life is Life.DEAD and _is_whole(content):
                yield change.run_id, content.path, closing_of(folder, content)


def _is_whole(content: Content) -> bool:
    replay = content.replay
    return not (content.damage or content.orphans or (replay is not None and replay.broken))
