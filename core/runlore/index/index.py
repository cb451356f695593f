"""The index: a cache of what the logs say, brought up to date by any reader, safe to delete."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from runlore._warnings import report
from runlore.index import rows as index_rows
from runlore.index.changes import Change, Lookout, News, seal_dead
from runlore.index.database import BY_RUN, Locked, Sqlite
from runlore.log import liveness
from runlore.log.folder import Folder, WriterFile

P = ParamSpec("P")
T = TypeVar("T")
NAME = "index-v1.sqlite"
VERSION = "5"
PATIENCE = 0.25  # seconds to try again while another process brings the index up to date, before the answer is stale
TRIES = 5  # to ask, when the index is deleted between our look and our question
BUILD_WAIT = 20.0  # seconds to wait for another process that builds the first index
SEAL_AT_ONCE = 64 << 20  # bytes of dead logs that one look seals on the way


class Index:
    """The index of one store. Its file lies in the store, or in the user's cache where that won't do.

    Where neither can be written, or another process holds the first build for too long, it lives in memory.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._path: Path | None = _place(folder)
        self._db = self._open()

    @property
    def path(self) -> Path | None:
        """Where it lies; None where it is in memory."""
        return self._path

    def ask(self, question: Callable[Concatenate[Sqlite, P], T], *arguments: P.args, **options: P.kwargs) -> T:
        """Return the answer of a question to the index brought up to date; all of the question sees one state."""
        for _ in range(TRIES):
            self.refresh()
            try:
                with self._db.reading():
                    if self._db.has_tables():
                        return question(self._db, *arguments, **options)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                    continue
                self._reopen()
        self._path = None  # somebody deletes it again and again: an index of our own, in memory
        self._reopen()
        self.refresh()
        return question(self._db, *arguments, **options)

    def keep(self, addition: Callable[Concatenate[Sqlite, P], None], *arguments: P.args, **options: P.kwargs) -> None:
        """Let `addition` cache rows that stand in no log and took long to make; a run's rows go when it changes.

        While another process is writing nothing is added: the rows are made again when they are needed.
        """
        with suppress(Locked, sqlite3.Error), self._db.writing():
            addition(self._db, *arguments, **options)

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
        news = self._lookout.look()
        if not news:
            return True
        self._lookout.read(news)
        try:
            with self._db.writing():
                self._apply(news)
        except Locked:
            return False
        seal_dead(self._folder, news, budget=SEAL_AT_ONCE)
        return True

    def rebuild(self) -> int:
        """Read every file again, and seal what can be; the number of runs.

        Raises:
            Locked: another process went on writing.
        """
        news = self._lookout.look(everything=True)
        self._lookout.read(news)
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
        seal_dead(self._folder, news)
        return len(news.changes)

    @property
    def _lookout(self) -> Lookout:
        return Lookout(self._folder, self._db)

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
        return meta.get("version") == VERSION and meta.get("boot") == liveness.boot_id()

    def _build(self) -> None:
        """The first index; one process builds, the others wait for it."""
        deadline = time.monotonic() + BUILD_WAIT
        while True:
            try:
                with self._db.writing():
                    if self._is_ready():
                        break
                    news = self._lookout.look(everything=True)
                    self._lookout.read(news)
                    self._fill(news)
                seal_dead(self._folder, news, budget=SEAL_AT_ONCE)
                return
            except Locked:
                if self._db.stale:
                    self._reopen()
                if time.monotonic() > deadline:
                    self._path = None
                    self._reopen()
            time.sleep(0.02)
        self.refresh()

    # Writing, within a transaction

    def _fill(self, news: News) -> None:
        self._db.make_tables()
        self._db.insert("meta", [("version", VERSION), ("boot", liveness.boot_id())])
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
        batch = index_rows.Batch(max(known.values(), default=0) + 1)
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
                    self._db.insert("env", index_rows.environment_rows(self._folder, section, item))

    def _report(self, change: Change, known_damage: int) -> None:
        record, writers = change.record, change.writers
        if record is None or writers is None:
            return
        if record.damaged_bytes > (known_damage or 0):
            report(f"run {record.id}: {record.damaged_bytes} bytes of its files are damaged; the rest was read")
        for reason in writers.unreadable:
            report(f"run {record.id}: a file can't be read: {reason}")


def ask_empty(question: Callable[Concatenate[Sqlite, P], T], *arguments: P.args, **options: P.kwargs) -> T:
    """Return the answer of a question to an index without runs, for stores that do not exist yet."""
    database = Sqlite(None)
    with closing(database):
        database.make_tables()
        return question(database, *arguments, **options)


def _file_row(change: Change, item: WriterFile) -> tuple[Any, ...]:
    name = item.path.name
    replay = None
    if change.record is not None and change.record.live and change.writers is not None:
        found = next((content for content in change.writers.contents if content.path.name == name), None)
        replay = found.replay.encode() if found is not None and found.replay is not None else None
    return (change.day, change.run_id, name, change.sizes.get(name, -1), replay)


def _place(folder: Folder) -> Path:
    usable = os.access(folder.root, os.W_OK) and not liveness.on_network_disk(folder.root)
    return folder.root / NAME if usable else _cache_place(folder)


def _cache_place(folder: Folder) -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "runlore" / folder.store_id / NAME
