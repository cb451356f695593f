"""The SQL database behind the index: SQLite through DB-API, with text that PostgreSQL reads too."""

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUSY_WAIT_S = 2.0  # for the commit of another process, which takes milliseconds
WRITE_WAIT_S = 0.05  # for a writer that did not take our lock file
CACHE_KIB = 8 << 10  # of a connection: a server has several
WRITE_CACHE_KIB = 64 << 10  # a large transaction that spills would lock readers out before its commit

VALUES = "run INTEGER NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, num NUMERIC, text TEXT, PRIMARY KEY (run, key)"
TABLES = {
    "meta": "key TEXT PRIMARY KEY, value TEXT NOT NULL",
    "days": "day TEXT PRIMARY KEY, mtime BIGINT NOT NULL",
    "files": (
        "day TEXT NOT NULL, run TEXT NOT NULL, name TEXT NOT NULL, size BIGINT NOT NULL, mtime BIGINT NOT NULL, "
        "replay TEXT, PRIMARY KEY (day, run, name)"
    ),
    "runs": (
        "n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT, experiment TEXT, status TEXT, parent TEXT, "
        "started BIGINT, ended BIGINT, live INTEGER NOT NULL, lost BIGINT, damaged BIGINT, ran BIGINT"
    ),
    "params": VALUES,
    "summary": VALUES,
    "tags": VALUES,
    "metrics": (
        "run INTEGER NOT NULL, key TEXT NOT NULL, split TEXT, last DOUBLE PRECISION, min DOUBLE PRECISION, "
        "max DOUBLE PRECISION, count BIGINT, last_step BIGINT, PRIMARY KEY (run, key)"
    ),
    "sections": "run INTEGER NOT NULL, section TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (run, section)",
    "env": (
        "section TEXT NOT NULL, sha256 TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, num NUMERIC, "
        "text TEXT, PRIMARY KEY (section, sha256, key)"
    ),
    "data": VALUES,
    "artifacts": (
        "run INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT, kind TEXT, sha256 TEXT, size BIGINT, "
        "step BIGINT, pending INTEGER NOT NULL, stored INTEGER NOT NULL, PRIMARY KEY (run, position)"
    ),
    "members": (
        "run INTEGER NOT NULL, position INTEGER NOT NULL, path TEXT NOT NULL, sha256 TEXT, "
        "PRIMARY KEY (run, position, path)"
    ),
    "links": (
        "run INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT, target TEXT NOT NULL, step BIGINT, sha256 TEXT, "
        "PRIMARY KEY (run, position)"
    ),
    "weights": (
        "run INTEGER NOT NULL, sha256 TEXT NOT NULL, kind TEXT NOT NULL, hash TEXT NOT NULL, "
        "PRIMARY KEY (run, sha256, kind, hash)"
    ),
}
INDEXES = {
    "runs_parent": "runs (parent)",
    "runs_live": "runs (live)",
    "files_run": "files (run)",
    "params_num": "params (key, num)",
    "summary_num": "summary (key, num)",
    "metrics_last": "metrics (key, last)",
    "metrics_min": "metrics (key, min)",
    "metrics_max": "metrics (key, max)",
    "tags_text": "tags (key, text)",
    "env_key": "env (key)",
    "sections_sha256": "sections (sha256)",
    "data_text": "data (key, text)",
    "artifacts_sha256": "artifacts (sha256)",
    "artifacts_pending": "artifacts (pending)",
    "artifacts_size": "artifacts (size)",
    "members_sha256": "members (sha256)",
    "links_target": "links (target)",
    "weights_hash": "weights (kind, hash)",
    "weights_sha256": "weights (sha256)",
}
# Tables whose rows belong to a run:
BY_RUN = ("params", "summary", "tags", "metrics", "sections", "data", "artifacts", "members", "links", "weights")
WITHOUT_ROWID = (*BY_RUN, "env")


# Values of runs.live; 0 stands for runs whose files no longer change
LIVE = 1
DAMAGED = 2  # files that can't be read whole, and may still be arriving


class Locked(Exception):
    """Another process is writing; go on with what there is."""


def is_busy(error: sqlite3.Error) -> bool:
    """Return True if another connection holds a lock that was needed."""
    return _code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damaged(error: sqlite3.Error) -> bool:
    """Return True if the file is damaged, or no database at all."""
    return _code_of(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_refused(error: sqlite3.Error) -> bool:
    """Return True if a statement can't be prepared: it is too long or too deep, or names what is not there."""
    return _code_of(error) in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG)


def _code_of(error: sqlite3.Error) -> int:
    """Return the primary result code; 0 (SQLITE_OK) for an error that comes from Python's module, not from SQLite."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


class Sqlite:
    """A connection to the database at a path; without one, to a database in memory.

    Writers exclude each other by a lock file beside the database, taken without waiting. SQLite's own locks would not
    do, since anybody may delete the database at any moment: a new one gets its first page only under the lock, so that
    a leftover journal can never be played into it.

    Raises:
        sqlite3.DatabaseError: the file is damaged or can't be opened.
        OSError: the file can't be made or written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock_path = path.with_suffix(".lock") if path else None
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        place = path or ":memory:"
        self._db = sqlite3.connect(place, timeout=BUSY_WAIT_S, isolation_level=None, check_same_thread=False)
        self._file = _file_at(path)
        self._db.create_function("runlore_match", 2, _match, deterministic=True)
        for pragma in (
            f"cache_size = -{CACHE_KIB}",
            "synchronous = OFF",
            "case_sensitive_like = ON",
            "temp_store = MEMORY",
        ):
            self._db.execute(f"PRAGMA {pragma}")

    def is_stale(self) -> bool:
        """Return True if the file was deleted or replaced since it was opened."""
        return self.path is not None and _file_at(self.path) != self._file

    @property
    def identity(self) -> str:
        """Device and inode of the file that was opened, which no copy shares; empty in memory."""
        return self._file or ""

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a SELECT."""
        return self._db.execute(sql, arguments).fetchall()

    def execute(self, sql: str, arguments: Sequence[Any] = ()) -> None:
        """Execute a statement that changes something, within `writing`."""
        self._db.execute(sql, arguments)

    def insert(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows of all of a table's columns, but for those with keys that are there, within `writing`."""
        rows = list(rows)
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._db.executemany(f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING", rows)

    def has_tables(self) -> bool:
        """Return True if the schema was made."""
        return bool(self.query("SELECT 1 FROM sqlite_master WHERE name = 'meta'"))

    def make_tables(self) -> None:
        """Drop the tables and make the schema anew, within `writing`."""
        for table, columns in TABLES.items():
            self._db.execute(f"DROP TABLE IF EXISTS {table}")
            self._db.execute(f"CREATE TABLE {table} ({columns}){' WITHOUT ROWID' if table in WITHOUT_ROWID else ''}")
        for name, target in INDEXES.items():
            self._db.execute(f"CREATE INDEX {name} ON {target}")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let several questions see one state."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.rollback()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make the block a transaction, rolled back if it raises.

        Raises:
            Locked: another process is writing, or the file was replaced.
            sqlite3.OperationalError: the disk is full, or has no locks.
        """
        descriptor = self._take_lock()
        try:
            if self.is_stale():
                raise Locked
            self._db.execute(f"PRAGMA cache_size = -{WRITE_CACHE_KIB}")
            self._begin()
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise
        finally:
            self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            if descriptor is not None:
                os.close(descriptor)

    def _begin(self) -> None:
        self._db.execute(f"PRAGMA busy_timeout = {WRITE_WAIT_S * 1000:.0f}")
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if is_busy(error):
                raise Locked from error
            raise
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {BUSY_WAIT_S * 1000:.0f}")

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def _take_lock(self) -> int | None:
        """Take the lock file; a database in memory has none."""
        if self._lock_path is None:
            return None
        try:
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:  # a full or a foreign disk
            raise sqlite3.OperationalError(f"the index can't be locked: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise Locked from error
            raise sqlite3.OperationalError(f"the index can't be locked: {error}") from error
        return descriptor


def _file_at(path: Path | None) -> str | None:
    """Return device and inode of the file at a path; None where there is none."""
    try:
        status = path.stat() if path else None
    except FileNotFoundError:
        return None
    return None if status is None else f"{status.st_dev}:{status.st_ino}"


def _match(pattern: str, text: Any) -> bool:
    return isinstance(text, str) and re.search(pattern, text) is not None
