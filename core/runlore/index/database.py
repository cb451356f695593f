"""The SQL database behind the index: SQLite through DB-API, with text that PostgreSQL reads too."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from runlore._inside import open_file, read_bytes
from runlore.index.matching import Matcher, natural
from runlore.index.mistakes import MAX_PATTERN
from runlore.index.place import lock_of

T = TypeVar("T")
BUSY_WAIT_S = 2.0  # for the commit of another process, which takes milliseconds
WRITE_WAIT_S = 0.05  # for a writer that did not take our lock file
CACHE_KIB = 8 << 10  # of a connection: a server has several
PROGRESS_STEPS = 20_000  # of SQLite's machine, some tenths of a millisecond, between two looks at the clock
WRITE_CACHE_KIB = 40 << 10  # a large transaction that spills would lock readers out before its commit

VALUE = "run INTEGER NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, num NUMERIC, text TEXT"
VALUES = f"{VALUE}, PRIMARY KEY (run, key)"
TABLES = {
    "meta": "key TEXT PRIMARY KEY, value TEXT NOT NULL",
    "days": "day TEXT PRIMARY KEY, mtime BIGINT NOT NULL",
    "files": (
        "day TEXT NOT NULL, run TEXT NOT NULL, name TEXT NOT NULL, size BIGINT NOT NULL, ctime BIGINT NOT NULL, "
        "identity TEXT, replay TEXT, PRIMARY KEY (day, run, name)"
    ),
    "runs": (
        "n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT, experiment TEXT, status TEXT, parent TEXT, "
        "started BIGINT, ended BIGINT, live INTEGER NOT NULL, lost BIGINT, damaged BIGINT, ran BIGINT, notes TEXT, "
        "environment INTEGER NOT NULL"
    ),
    # What the tables below say of a run, to read it at once, and the keys of that, which many runs share:
    "held": "run INTEGER PRIMARY KEY, shape INTEGER NOT NULL, text TEXT NOT NULL",
    "shapes": "n INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, keys TEXT NOT NULL",
    # Of the keys that somebody has asked for, and of values that `held` does not tell exactly:
    "params": f"{VALUE}, PRIMARY KEY (key, run)",
    "asked": "key TEXT PRIMARY KEY",
    "summary": VALUES,
    "tags": VALUES,
    "metrics": (
        "run INTEGER NOT NULL, key TEXT NOT NULL, split TEXT, last DOUBLE PRECISION, min DOUBLE PRECISION, "
        "max DOUBLE PRECISION, count BIGINT, last_step BIGINT, PRIMARY KEY (run, key)"
    ),
    "environments": "n INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, hashes TEXT NOT NULL",
    "sections": (
        "environment INTEGER NOT NULL, section TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (environment, section)"
    ),
    "env": (
        "section TEXT NOT NULL, sha256 TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, num NUMERIC, "
        "text TEXT, PRIMARY KEY (section, sha256, key)"
    ),
    "data": VALUES,
    "keys": "held TEXT NOT NULL, key TEXT NOT NULL, count BIGINT NOT NULL, PRIMARY KEY (held, key)",  # rows by table
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
    "runs_environment": "runs (environment)",
    "files_run": "files (run)",
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
COUNTED = ("summary", "tags", "metrics", "data")  # whose keys are counted, as those of params and `env` are
# Tables whose rows belong to a run:
OF_RUN = ("summary", "tags", "metrics", "data", "artifacts", "members", "links", "weights")
BY_RUN = ("held", *OF_RUN)
WITHOUT_ROWID = (*OF_RUN, "params", "asked", "sections", "env")


# Values of runs.live; 0 stands for runs whose files no longer change
LIVE = 1
DAMAGED = 2  # files that can't be read whole, and may still be arriving
UNSEALED = 3  # logs of dead writers, which the next look seals
SILENT = 4  # logs whose writers, elsewhere, were not heard of for a while


CHUNK = 500  # values in one statement


def chunks(values: Sequence[T]) -> Iterator[tuple[str, Sequence[T]]]:
    """Yield the marks of an IN list, and the values that they stand for, as many as one statement takes."""
    for start in range(0, len(values), CHUNK):
        some = values[start : start + CHUNK]
        yield f"({', '.join('?' * len(some))})", some


class Locked(Exception):
    """Another process is writing; go on with what there is."""


def is_busy(error: sqlite3.Error) -> bool:
    """Return True if another connection holds a lock that was needed."""
    return _code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damaged(error: sqlite3.Error) -> bool:
    """Return True if the file is damaged, or no database at all."""
    return _code_of(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_refused(error: sqlite3.Error) -> bool:
    """Return True if the question is at fault: it is too long, too deep or too slow, or names what is not there."""
    return _code_of(error) in (
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
    )


def is_interrupted(error: sqlite3.Error) -> bool:
    """Return True if a question was ended because it took too long."""
    return _code_of(error) == sqlite3.SQLITE_INTERRUPT


def is_of_value(error: Exception) -> bool:
    """Return True if a value that was to be stored is the reason for an error, and not the database."""
    return not isinstance(error, sqlite3.Error | OSError | MemoryError) or isinstance(
        error, sqlite3.InterfaceError | sqlite3.ProgrammingError | sqlite3.IntegrityError | sqlite3.DataError
    )


def _code_of(error: sqlite3.Error) -> int:
    """Return the primary result code; 0 (SQLITE_OK) for an error that comes from Python's module, not from SQLite."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


class _Connection(sqlite3.Connection):
    """Is closed with its last reference; since 3.13, Python warns of one that nobody has closed."""

    def __del__(self) -> None:
        self.close()


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
        self._lock_path = lock_of(path) if path else None
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(open_file(path, path.parent, os.O_RDWR | os.O_CREAT))
        place = path or ":memory:"
        self._db = sqlite3.connect(
            place, timeout=BUSY_WAIT_S, isolation_level=None, check_same_thread=False, factory=_Connection
        )
        self._file = _file_at(path)
        self._lock: int | None = None  # the descriptor of the lock file, while it is held
        self.matcher = Matcher()
        self._db.create_function("runlore_match", 2, self.matcher.match)
        self._db.create_function("runlore_natural", 1, natural, deterministic=True)
        self._db.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 4 * MAX_PATTERN)  # bytes
        self._db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._db.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1)
        for pragma in (
            f"cache_size = -{CACHE_KIB}",
            "synchronous = OFF",
            "case_sensitive_like = ON",
            "temp_store = MEMORY",
            "trusted_schema = OFF",
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

    def execute_many(self, sql: str, arguments: Iterable[Sequence[Any]]) -> None:
        """Execute a statement that changes something with each of some arguments, within `writing`."""
        self._db.executemany(sql, arguments)

    def has_tables(self) -> bool:
        """Return True if the schema was made."""
        return bool(self.query("SELECT 1 FROM sqlite_master WHERE name = 'meta'"))

    def make_tables(self) -> None:
        """Drop the tables and make the schema anew, within `writing`."""
        for table, columns in TABLES.items():
            self._db.execute(f"DROP TABLE IF EXISTS {table}")
            self._db.execute(f"CREATE TABLE {table} ({columns}){' WITHOUT ROWID' if table in WITHOUT_ROWID else ''}")

    def count(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add to the numbers of rows that tables have of their keys, by table and key, within `writing`."""
        added = "ON CONFLICT (held, key) DO UPDATE SET count = keys.count + excluded.count"
        self._db.executemany(
            f"INSERT INTO keys VALUES (?, ?, ?) {added}", [(*item, number) for item, number in counts.items()]
        )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let several questions see one state."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.rollback()

    @contextmanager
    def ending_after(self, seconds: float | None) -> Iterator[None]:
        """Interrupt what is asked in the block after some seconds; never if they are None."""
        if seconds is None:
            yield
            return
        deadline = time.monotonic() + seconds
        self._db.set_progress_handler(lambda: time.monotonic() > deadline, PROGRESS_STEPS)
        try:
            yield
        finally:
            self._db.set_progress_handler(None, 0)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process write within the block, which may hold several transactions.

        Raises:
            Locked: another process is writing, or the file was replaced.
            sqlite3.OperationalError: the disk is full, or has no locks.
        """
        if self._lock is not None:
            yield
            return
        descriptor = self._take_lock()
        try:
            if self.is_stale():
                raise Locked
            _empty(descriptor)
            self._lock = descriptor
            self._db.execute(f"PRAGMA cache_size = -{WRITE_CACHE_KIB}")
            yield
        finally:
            self._lock = None
            self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            if descriptor is not None:
                os.close(descriptor)

    def is_flushed(self) -> bool:
        """Return True if the disk has kept everything that was written to this file."""
        try:
            lock = self._lock_path
            mark = self.identity.encode()
            return lock is not None and read_bytes(lock, lock.parent, len(mark) + 1) == mark
        except OSError:
            return False

    def flush(self) -> None:
        """Have the disk keep what was written, and note it in the lock file until somebody writes again.

        Raises:
            Locked: another process is writing.
        """
        if self.path is None:
            return
        with self.locked(), suppress(OSError):  # of a disk that can't
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(file)
            finally:
                os.close(file)
            if self._lock is not None:
                os.pwrite(self._lock, self.identity.encode(), 0)
                os.fsync(self._lock)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make the block a transaction, rolled back if it raises; see `locked` for what it raises."""
        with self.locked():
            self._begin()
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what the block changes, and nothing before it, if the block raises; within `writing`."""
        self._db.execute("SAVEPOINT one")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # SQLite has ended it where the disk is full
                self._db.execute("ROLLBACK TO SAVEPOINT one")
            raise
        finally:
            if self._db.in_transaction:
                self._db.execute("RELEASE SAVEPOINT one")

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
            descriptor = open_file(self._lock_path, self._lock_path.parent, os.O_RDWR | os.O_CREAT)
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


def _empty(descriptor: int | None) -> None:
    """Empty the lock file before anything is written: the database is not flushed any more."""
    if descriptor is not None and os.fstat(descriptor).st_size:
        os.ftruncate(descriptor, 0)
        os.fsync(descriptor)


def _file_at(path: Path | None) -> str | None:
    """Return device and inode of the file at a path; None where there is none."""
    try:
        status = path.lstat() if path else None
    except FileNotFoundError:
        return None
    return None if status is None else f"{status.st_dev}:{status.st_ino}"
