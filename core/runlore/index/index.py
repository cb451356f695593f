"""The index: a cache of what the logs say, brought up to date by any reader, safe to delete."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from runlore.index.changes import read_all, read_news, seal_dead
from runlore.index.database import Locked, Sqlite, is_busy, is_damaged, is_refused
from runlore.index.update import apply, fill, is_ready
from runlore.log import liveness
from runlore.log.folder import Folder

P = ParamSpec("P")
T = TypeVar("T")
FILE_NAME = "index-v1.sqlite"
MAX_TRIES = 5  # while other processes delete or lock the index
CATCH_UP_WAIT_S = 0.25  # for another process that brings the index up to date, before an answer may be stale
BUILD_WAIT_S = 20.0  # for another process that builds the index
MAX_SEALED_BYTES = 64 << 20  # of dead logs that one look seals on the way


class Index:
    """The index of one store.

    Its file lies in the store, or in the user's cache if the store can't be written or lies on a network disk. If the
    cache can't be written either, or another process holds the lock for too long, the index is kept in memory.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._path: Path | None = _first_place(folder)
        self._db = self._open()

    @property
    def path(self) -> Path | None:
        """The file of the index; None while it is in memory."""
        return self._path

    def ask(self, question: Callable[Concatenate[Sqlite, P], T], *arguments: P.args, **options: P.kwargs) -> T:
        """Return the answer of a question to the index brought up to date; all of the question sees one state."""
        for _ in range(MAX_TRIES):
            self.refresh()
            try:
                with self._db.reading():
                    if is_ready(self._db):
                        return question(self._db, *arguments, **options)
            except sqlite3.DatabaseError as error:
                if is_refused(error):
                    raise  # the question is wrong, not the index
                if not is_busy(error):
                    self._recover(error)
        self._go_into_memory()
        self.refresh()
        return question(self._db, *arguments, **options)

    def keep(self, addition: Callable[Concatenate[Sqlite, P], None], *arguments: P.args, **options: P.kwargs) -> None:
        """Let `addition` cache rows that stand in no log and took long to make; a run's rows go when it changes.

        While another process is writing nothing is added: the rows are made again when they are needed.
        """
        with suppress(Locked, sqlite3.Error), self._db.writing():
            addition(self._db, *arguments, **options)

    def refresh(self) -> None:
        """Bring the index up to date; while other processes keep writing to it, leave it as it is after a moment."""
        for _ in range(MAX_TRIES):
            if self._db.is_stale():
                self._reopen()
            try:
                self._build_or_catch_up()
                return
            except sqlite3.DatabaseError as error:
                if is_busy(error):
                    return
                self._recover(error)
        self._go_into_memory()
        self._build_or_catch_up()

    def rebuild(self) -> int:
        """Read every file again and seal dead logs; return the number of runs.

        Raises:
            Locked: another process went on writing.
        """
        news = read_all(self._folder)
        deadline = time.monotonic() + BUILD_WAIT_S
        while True:
            try:
                with self._db.writing():
                    fill(self._db, self._folder, news)
                break
            except Locked:
                if time.monotonic() > deadline:
                    raise
                self._wait()
            except sqlite3.DatabaseError as error:
                self._recover(error)
        seal_dead(self._folder, news)
        return len(news.changes)

    # Opening

    def _open(self) -> Sqlite:
        """Open the file, made anew if it is damaged; else the one in the cache; else one in memory."""
        damaged: list[Path] = []
        while self._path is not None:
            try:
                return Sqlite(self._path)
            except (OSError, sqlite3.Error) as error:
                if self._path not in damaged and isinstance(error, sqlite3.Error) and is_damaged(error):
                    damaged.append(self._path)
                    _delete(self._path)
                else:
                    self._path = _cache_place(self._folder) if self._path.parent == self._folder.root else None
        return Sqlite(None)

    def _reopen(self) -> None:
        self._db.close()
        self._db = self._open()

    def _go_into_memory(self) -> None:
        self._path = None
        self._reopen()

    def _recover(self, error: sqlite3.DatabaseError) -> None:
        """Open the index again: a new file if this one is damaged or was replaced, else one in memory.

        Raises:
            sqlite3.DatabaseError: `error`, if it is in memory already.
        """
        if self._path is None:
            raise error
        if not self._db.is_stale():
            if is_damaged(error):
                _delete(self._path)
            else:
                self._path = None  # no room, or a disk that fails
        self._reopen()

    def _wait(self) -> None:
        """Wait a moment for another process that is writing, or has replaced the file."""
        if self._db.is_stale():
            self._reopen()
        time.sleep(0.02)

    def _build_or_catch_up(self) -> None:
        if not is_ready(self._db):
            self._build()
        deadline = time.monotonic() + CATCH_UP_WAIT_S
        while not self._catch_up() and time.monotonic() < deadline:
            time.sleep(0.005)

    def _build(self) -> None:
        """Fill the index: one process reads all files while it holds the lock, the others wait for it."""
        deadline = time.monotonic() + BUILD_WAIT_S
        while True:
            try:
                with self._db.writing():
                    if is_ready(self._db):
                        return
                    news = read_all(self._folder)
                    fill(self._db, self._folder, news)
                break
            except Locked:
                if time.monotonic() > deadline:
                    self._go_into_memory()
                self._wait()
        seal_dead(self._folder, news, budget=MAX_SEALED_BYTES)

    def _catch_up(self) -> bool:
        """Read and store what changed; False while another process is writing."""
        news = read_news(self._folder, self._db)
        if not news:
            return True
        try:
            with self._db.writing():
                apply(self._db, self._folder, news)
        except Locked:
            return False
        seal_dead(self._folder, news, budget=MAX_SEALED_BYTES)
        return True


def ask_empty(question: Callable[Concatenate[Sqlite, P], T], *arguments: P.args, **options: P.kwargs) -> T:
    """Return the answer of a question to an index without runs, for stores that do not exist yet."""
    database = Sqlite(None)
    with closing(database):
        database.make_tables()
        return question(database, *arguments, **options)


def _first_place(folder: Folder) -> Path | None:
    root = folder.root
    usable = os.access(root, os.W_OK) and not liveness.on_network_disk(root) and liveness.has_locks(root)
    return folder.root / FILE_NAME if usable else _cache_place(folder)


def _cache_place(folder: Folder) -> Path | None:
    """Return the place of an index in the user's cache; None for a user without a home."""
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # neither HOME nor an entry in passwd, as in a container with a user of its own
        return None
    return Path(home) / "runlore" / folder.store_id / FILE_NAME


def _delete(path: Path) -> None:
    with suppress(OSError):  # of another user, or gone
        path.unlink()
