"""The index: a cache of what the logs say, brought up to date by any reader, safe to delete."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from runlore import _liveness, _rows
from runlore._database import BY_RUN, Locked, Sqlite
from runlore._folder import Folder, WriterFile, visible
from runlore._ids import id_day
from runlore._liveness import Life
from runlore._record import Record, Writers, build_record, closing_of, read_writers
from runlore._replay import FOREIGN, Content, Replay
from runlore._seal import seal
from runlore._writer import report

T = TypeVar("T")
NAME = "index-v1.sqlite"
VERSION = "1"
YOUNG = 2_000_000_000  # ns: a folder whose time is younger may change again without its time showing it
PATIENCE = 0.25  # seconds to try again while another process brings the index up to date, before the answer is stale
TRIES = 5  # to ask, when the index is deleted between our look and our question
BUILD_WAIT = 20.0  # seconds to wait for another process that builds the first index
SEAL_AT_ONCE = 64 << 20  # bytes of dead logs that one look seals on the way


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


class Index:
    """The index of one store. Its file lies in the store, or in the user's cache where that won't do.

    Where neither can be written, or another process holds the first build for too long, it lives in memory.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._path: Path | None = _place(folder)
        self._db = self._open()

    def ask(self, question: Callable[[Sqlite], T]) -> T:
        """The answer of a question to the index brought up to date; all of the question sees one state."""
        for _ in range(TRIES):
            self.refresh()
            try:
                with self._db.reading():
                    if self._db.has_tables():
                        return question(self._db)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                    continue
                self._reopen()
        self._path = None  # somebody deletes it again and again: an index of our own, in memory
        self._reopen()
        self.refresh()
        return question(self._db)

    def refresh(self) -> None:
        """Bring the index up to date; where others keep writing to it, go on with what it says after a moment."""
        for _ in range(TRIES):
            if self._db.stale:
                self._reopen()
            try:
                self._freshen()
                return
            except sqlite3.DatabaseError as error:
                if "locked" in str(error):
                    return
                self._recover(error)
        self._path = None
        self._reopen()
        self._freshen()

    def _freshen(self) -> None:
        if not self._is_ready():
            self._build()
            return
        deadline = time.monotonic() + PATIENCE
        while not self._catch_up() and time.monotonic() < deadline:
            time.sleep(0.005)

    def _catch_up(self) -> bool:
        """Read and store what is new; False where somebody else was writing."""
        news = self._look()
        if not news:
            return True
        self._read(news)
        try:
            with self._db.writing():
                self._apply(news)
        except Locked:
            return False
        self._seal_dead(news, budget=SEAL_AT_ONCE)
        return True

    def rebuild(self) -> int:
        """Read every file again, and seal what can be; the number of runs.

        Raises:
            Locked: another process went on writing.
        """
        news = self._look(everything=True)
        self._read(news)
        deadline = time.monotonic() + BUILD_WAIT
        while True:
            try:
                with self._db.writing():
                    self._fill(news)
                break
            except Locked:
                if time.monotonic() > deadline:
                    raise
                if self._db.stale:
                    self._reopen()
                time.sleep(0.02)
        self._seal_dead(news, budget=None)
        return len(news.changes)

    # Opening

    def _open(self) -> Sqlite:
        while self._path is not None:
            try:
                return Sqlite(self._path)
            except (OSError, sqlite3.Error):
                self._path = _cache_place(self._folder) if self._path.parent == self._folder.root else None
        return Sqlite(None)

    def _reopen(self) -> None:
        self._db.close()
        self._db = self._open()

    def _recover(self, error: sqlite3.DatabaseError) -> None:
        """Open the index again: a new file if this one is damaged or was replaced, else one in memory."""
        if not self._db.stale and self._path is not None:
            if any(word in str(error) for word in ("malformed", "not a database")):
                self._path.unlink(missing_ok=True)
            else:
                self._path = None  # no room, or a disk that fails
        self._reopen()

    def _is_ready(self) -> bool:
        if not self._db.has_tables():
            return False
        meta = dict(self._db.query("SELECT key, value FROM meta"))
        # Commits are not flushed, so a machine that went down may have left half of one.
        return meta.get("version") == VERSION and meta.get("boot") == _liveness.boot_id()

    def _build(self) -> None:
        """The first index; one process builds, the others wait for it."""
        deadline = time.monotonic() + BUILD_WAIT
        while True:
            try:
                with self._db.writing():
                    if self._is_ready():
                        break
                    news = self._look(everything=True)
                    self._read(news)
                    self._fill(news)
                self._seal_dead(news, budget=SEAL_AT_ONCE)
                return
            except Locked:
                if self._db.stale:
                    self._reopen()
                if time.monotonic() > deadline:
                    self._path = None
                    self._reopen()
            time.sleep(0.02)
        self.refresh()

    # Looking at the folder

    def _look(self, *, everything: bool = False) -> News:
        news = News()
        known = {} if everything else dict(self._db.query("SELECT day, mtime FROM days"))
        seen = set()
        listed = set()
        for path in self._folder.days():
            day = path.relative_to(self._folder.runs).as_posix()
            seen.add(day)
            mtime = path.stat().st_mtime_ns
            if known.get(day) == mtime:
                continue
            young = time.time_ns() - mtime < YOUNG
            if not everything or not young:
                news.days.append((day, 0 if young else mtime))
            else:
                news.days.append((day, 0))
            listed.add(day)
            self._look_at_day(news, path, day, everything=everything)
        if not everything:
            news.gone_days = [day for day in known if day not in seen]
            self._look_at_live(news, listed)
        if news.days and not (news.changes or news.gone or news.gone_days):
            news.days = [item for item in news.days if known.get(item[0]) != item[1]]
        return news

    def _look_at_day(self, news: News, path: Path, day: str, *, everything: bool) -> None:
        runs: dict[str, list[WriterFile]] = {}
        for item in visible(path, os.listdir(path)):
            if id_day(item.run_id) != day:
                continue  # somebody's copy of another day
            runs.setdefault(item.run_id, []).append(item)
        known: dict[str, dict[str, int]] = {}
        if not everything:
            for run_id, name, size in self._db.query("SELECT run, name, size FROM files WHERE day = ?", (day,)):
                known.setdefault(run_id, {})[name] = size
        for run_id, files in runs.items():
            before = known.pop(run_id, None)
            if before is None or set(before) != {item.path.name for item in files}:
                news.changes.append(Change(day, run_id, files))
        news.gone += [(day, run_id) for run_id in known]

    def _look_at_live(self, news: News, listed: set[str]) -> None:
        """Runs that somebody may still write to: did a file grow, or its writer die?"""
        changed = {change.run_id for change in news.changes} | {run_id for _, run_id in news.gone}
        rows = self._db.query(
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
            return _liveness.life_of(path, opening) is not Life.ALIVE
        except (OSError, KeyError):
            return True

    # Reading, outside any transaction

    def _read(self, news: News) -> None:
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
        if not self._db.has_tables():
            return []
        sql = "SELECT name, replay FROM files WHERE day = ? AND run = ? AND replay IS NOT NULL"
        return [(name, replay) for name, replay in self._db.query(sql, (day, run_id))]

    # Writing, within a transaction

    def _fill(self, news: News) -> None:
        self._db.make_tables()
        self._db.insert("meta", [("version", VERSION), ("boot", _liveness.boot_id())])
        self._apply(news)

    def _apply(self, news: News) -> None:
        for day in news.gone_days:
            for (run_id,) in self._db.query("SELECT DISTINCT run FROM files WHERE day = ?", (day,)):
                self._forget(day, run_id)
            self._db.execute("DELETE FROM days WHERE day = ?", (day,))
        for day, run_id in news.gone:
            self._forget(day, run_id)
        known = dict(self._db.query("SELECT id, n FROM runs"))
        damaged = dict(self._db.query("SELECT id, damaged FROM runs WHERE damaged > 0"))
        batch = _rows.Batch(max(known.values(), default=0) + 1)
        for change in news.changes:
            if change.record is None or change.writers is None:
                self._forget(change.day, change.run_id)
                continue
            number = known.get(change.run_id)
            if number is not None:
                self._forget(change.day, change.run_id)
            batch.add(change.record, number)
            batch.files += [_file_row(change, item) for item in change.files]
            self._report(change, damaged.get(change.run_id, 0))
        self._store_environments(news)
        batch.insert_into(self._db)
        for day, mtime in news.days:
            self._db.execute("DELETE FROM days WHERE day = ?", (day,))
            self._db.insert("days", [(day, mtime)])

    def _forget(self, day: str, run_id: str) -> None:
        for (number,) in self._db.query("SELECT n FROM runs WHERE id = ?", (run_id,)):
            for table in BY_RUN:
                self._db.execute(f"DELETE FROM {table} WHERE run = ?", (number,))
            self._db.execute("DELETE FROM runs WHERE n = ?", (number,))
        self._db.execute("DELETE FROM files WHERE day = ? AND run = ?", (day, run_id))

    def _store_environments(self, news: News) -> None:
        seen: set[tuple[str, str]] = set()
        for change in news.changes:
            for section, item in (change.record.environment if change.record else {}).items():
                identity = (section, str(item["sha256"]))
                if identity in seen:
                    continue
                seen.add(identity)
                if not self._db.query("SELECT 1 FROM env WHERE section = ? AND sha256 = ? LIMIT 1", identity):
                    self._db.insert("env", _rows.environment_rows(self._folder, section, item))

    def _report(self, change: Change, known_damage: int) -> None:
        record, writers = change.record, change.writers
        if record is None or writers is None:
            return
        if record.damaged_bytes > (known_damage or 0):
            report(f"run {record.id}: {record.damaged_bytes} bytes of its files are damaged; the rest was read")
        for reason in writers.unreadable:
            report(f"run {record.id}: a file can't be read: {reason}")

    # Sealing what is dead

    def _seal_dead(self, news: News, budget: int | None) -> None:
        for change in news.changes:
            for item in change.files:
                if item.sealed:  # its writer may have died before it removed the log
                    with suppress(OSError):
                        item.path.with_suffix(".log").unlink()
        for _, log, closing in _dead_logs(self._folder, news.changes):
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


def _file_row(change: Change, item: WriterFile) -> tuple[Any, ...]:
    name = item.path.name
    replay = None
    if change.record is not None and change.record.live and change.writers is not None:
        found = next((content for content in change.writers.contents if content.path.name == name), None)
        replay = found.replay.encode() if found is not None and found.replay is not None else None
    return (change.day, change.run_id, name, change.sizes.get(name, -1), replay)


def _place(folder: Folder) -> Path:
    usable = os.access(folder.root, os.W_OK) and not _liveness.on_network_disk(folder.root)
    return folder.root / NAME if usable else _cache_place(folder)


def _cache_place(folder: Folder) -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "runlore" / folder.store_id / NAME
