"""The index: a cache of what the logs say, brought up to date by any reader, safe to delete."""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from runlore._process import process
from runlore._warnings import report
from runlore.errors import QueryError, StoreBusy
from runlore.index.changes import News, read_news, seal_dead, seal_waiting
from runlore.index.database import Locked, Sqlite, is_busy, is_damaged, is_interrupted, is_refused
from runlore.index.keys import Unlisted, list_own_params, list_params
from runlore.index.place import cache_place, delete, first_place, may_open
from runlore.index.update import (
    BUILT,
    BUT_LARGE,
    NOT_BUILT,
    adopt,
    apply,
    begin,
    count_runs,
    give_up_sealing,
    is_built,
    is_ready,
    is_whole,
    make_indexes,
    set_built,
)
from runlore.index.watching import Watching
from runlore.log.folder import Folder

P = ParamSpec("P")
T = TypeVar("T")
MAX_TRIES = 5  # while other processes delete or lock the index
CATCH_UP_WAIT_S = 0.25  # for another process that brings the index up to date, before an answer may be stale
BUILD_WAIT_S = 5.0  # for another process that builds the index
FLUSHED_EVERY_S = 30.0  # at least between two times that a process has the disk keep what it wrote
PATIENCE_S = 5.0  # with runs whose files are large, in one look
REST_S = 60.0  # before the next one of the same process
LEFT_BY_OTHER = "another process still reads runs with large files, which are missing here,"
MAX_SEALED_BYTES = 32 << 20  # of dead logs that one look seals on the way


class _PartialNews(Exception):
    """This user can't read everything that an index holds which others share."""


@contextmanager
def one_state(index: "Index") -> Iterator[None]:
    """Bring an index up to date once for all questions that are asked meanwhile: each would look at every live run."""
    if not index.held:
        index.refresh()
    before, index.held = index.held, True
    try:
        yield
    finally:
        index.held = before


class Index:
    """The index of one store.

    Its file lies in the store, or in the user's cache if the store can't be written, or read as a whole, lies on a
    network disk, or holds an index of another user. If the cache can't be written either, or another process holds the
    lock for too long, the index is kept in memory.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.closed: list[Path] = []  # folders that this user can't list
        folder.check_parts()
        self.answer_s: float | None = None  # seconds that the answer to a question may take
        self.held = False  # True while answers are of one state: see `one_state`
        self.patience: float | None = PATIENCE_S  # seconds for runs with large files in one look; None for all
        self._put_off = -REST_S  # when runs with large files were put off, by the monotonic clock
        self._flushed = -FLUSHED_EVERY_S  # by the monotonic clock
        self._path: Path | None = first_place(folder)
        self._db = self._open()

    @property
    def path(self) -> Path | None:
        """The file of the index; None while it is in memory."""
        return self._path

    def ask(self, question: Callable[Concatenate[Sqlite, P], T], *arguments: P.args, **options: P.kwargs) -> T:
        """Return the answer of a question to the index brought up to date; all of the question sees one state.

        Raises:
            QueryError: the question is too large, or takes too long.
        """
        listed: set[str] = set()
        while True:
            try:
                return self._ask(listed, lambda database: question(database, *arguments, **options))
            except Unlisted as found:
                listed.update(found.keys)
                self.keep(list_params, found.keys)

    def _ask(self, listed: Collection[str], question: Callable[[Sqlite], T]) -> T:
        """Return the answer of a question; of the params in `listed` its rows are made where that could not be kept.

        Raises:
            Unlisted: the question needs the rows of further params.
        """
        begun = time.monotonic()
        tries = 0
        while tries < MAX_TRIES:
            if tries or not (self.held or listed):  # with some listed, it was just done for the same question
                self.refresh()
            try:
                with self._db.reading():
                    if not is_ready(self._db):
                        tries += 1
                    elif self._is_enough(begun):
                        list_own_params(self._db, listed)
                        return _answer(self._db, partial(question, self._db), self.answer_s)
            except sqlite3.DatabaseError as error:
                if is_refused(error):
                    raise  # the question is wrong, not the index
                if not is_busy(error):
                    self._recover(error)
                tries += 1
        self._go_to(None)
        self.refresh()
        return _answer(self._db, partial(question, self._db), self.answer_s)

    def _is_enough(self, begun: float) -> bool:
        """Return True if the index holds all runs, or another process has been building it for long since `begun`."""
        if is_built(self._db):
            return True
        waited = time.monotonic() - begun >= BUILD_WAIT_S
        if waited:
            report(_unbuilt(self._folder, self._db))
        return waited

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
            except _PartialNews:
                self._go_to(cache_place(self._folder))  # the one in the store is theirs who can read all runs
            except sqlite3.DatabaseError as error:
                if is_busy(error):
                    return
                self._recover(error)
        self._go_to(None)
        self._build_or_catch_up()

    def rebuild(self) -> int:
        """Read every file again and seal dead logs; return the number of runs.

        Raises:
            Locked: another process went on writing.
        """
        deadline = time.monotonic() + BUILD_WAIT_S
        while True:
            try:
                with self._db.locked():
                    begin(self._db)
                    self._read_rest(None, None)
                    return count_runs(self._db)
            except _PartialNews:
                self._go_to(cache_place(self._folder))  # the one in the store is theirs who can read all runs
            except Locked:
                if time.monotonic() > deadline:
                    raise
                self._wait()
            except sqlite3.DatabaseError as error:
                self._recover(error)

    def require_all(self) -> None:
        """Bring the index up to date, for who acts on what no run needs.

        Raises:
            StoreBusy: another process is still building it, so that runs are missing in it.
        """
        patience, self.patience = self.patience, None
        try:
            self.refresh()
        finally:
            self.patience = patience
        if not is_whole(self._db):
            raise StoreBusy(f"{_unbuilt(self._folder, self._db)}: try again when it is done")

    # Opening

    def _open(self) -> Sqlite:
        """Open the file, made anew if it is damaged; else the one in the cache; else one in memory."""
        damaged: list[Path] = []
        while self._path is not None:
            if not may_open(self._path):
                self._path = _next_place(self._folder, self._path)
                continue
            try:
                return Sqlite(self._path)
            except (OSError, sqlite3.Error) as error:
                if self._path not in damaged and isinstance(error, sqlite3.Error) and is_damaged(error):
                    damaged.append(self._path)
                    delete(self._path)
                else:
                    self._path = _next_place(self._folder, self._path)
        return Sqlite(None)

    def _reopen(self) -> None:
        self._db.close()
        self._db = self._open()

    def _go_to(self, path: Path | None) -> None:
        """Go on with the file at another place, or in memory."""
        self._path = path
        self._reopen()

    def _take(self, news: News) -> None:
        """Note what this user can't read.

        Raises:
            _PartialNews: others share the index, and may read it.
        """
        self.closed = news.closed
        if news.is_partial and self._path is not None and self._path.parent == self._folder.root:
            raise _PartialNews

    def _recover(self, error: sqlite3.DatabaseError) -> None:
        """Open the index again: a new file if this one is damaged or was replaced, else one in memory.

        Raises:
            sqlite3.DatabaseError: `error`, if it is in memory already.
        """
        if self._path is None:
            raise error
        if not self._db.is_stale():
            if is_damaged(error):
                delete(self._path)
            else:
                self._path = None  # no room, or a disk that fails
        self._reopen()

    def _wait(self) -> None:
        """Wait a moment for another process that is writing, or has replaced the file."""
        if self._db.is_stale():
            self._reopen()
        time.sleep(0.02)

    def _build_or_catch_up(self) -> None:
        """Read what changed, all of it where the index is new; another process may be at it for a moment."""
        begun = time.monotonic()
        while not self._catch_up():
            if self._db.is_stale():
                self._reopen()
            wait = CATCH_UP_WAIT_S if is_ready(self._db) and is_built(self._db) else BUILD_WAIT_S
            if time.monotonic() - begun > wait:
                if not is_ready(self._db):
                    self._go_to(None)
                    continue
                is_left = is_built(self._db) and not is_whole(self._db)
                if is_left and time.monotonic() - self._put_off > REST_S:
                    self._put_off = time.monotonic()
                    report(f"{LEFT_BY_OTHER} in {str(self._folder.root)!r}")
                break
            time.sleep(0.005)

    def _catch_up(self) -> bool:
        """Read and store what changed; False while another process is writing."""
        try:
            if not is_ready(self._db):
                with self._db.locked():
                    if not is_ready(self._db):
                        begin(self._db)
                    self._read_rest(MAX_SEALED_BYTES, self.patience)
                return True
            if not is_built(self._db):  # whoever built it was interrupted
                with self._db.locked():
                    self._read_rest(MAX_SEALED_BYTES, self.patience)
                return True
            adopt(self._db)
            refused = seal_waiting(self._folder, self._db, MAX_SEALED_BYTES)
            if refused:
                with self._db.writing():
                    give_up_sealing(self._db, refused)
            news = next(read_news(self._folder, self._db))
            if news or news.closed:
                self._store(news, MAX_SEALED_BYTES)
            if not news.goes_on and not is_whole(self._db):
                set_built(self._db, BUILT)  # the runs that were left are gone
            rests = self.patience is not None and time.monotonic() - self._put_off < REST_S
            if news.goes_on and not (news.is_large_left and rests):
                with self._db.locked():
                    self._read_rest(MAX_SEALED_BYTES, self.patience)
            elif news and time.monotonic() - self._flushed > FLUSHED_EVERY_S:
                self._flush()
        except Locked:
            return False
        return True

    def _read_rest(self, seal: int | None, patience: float | None) -> None:
        """Read and store what changed in parts, with the lock held; who is interrupted leaves whole parts.

        Runs with large files are put off as `read_news` does.
        """
        set_built(self._db, NOT_BUILT)
        for news in read_news(self._folder, self._db, patience):
            self._store(news, seal)
            if (tell := process.part(Watching).tell) is not None:
                tell(count_runs(self._db), news.share)
            if news.is_large_left or not news.goes_on:
                make_indexes(self._db)
                set_built(self._db, BUT_LARGE if news.is_large_left or news.put_off else BUILT)
            if news.put_off:
                self._put_off = time.monotonic()
                report(_put_off(news.put_off))
        self._flush()

    def _flush(self) -> None:
        self._db.flush()
        self._flushed = time.monotonic()

    def _store(self, news: News, seal: int | None) -> None:
        """Store a part of the news, and seal the logs of dead writers in it, up to `seal` bytes of them.

        Raises:
            Locked: another process is writing.
            _PartialNews: see `_take`.
        """
        self._take(news)
        if not news:
            return
        with self._db.writing():
            apply(self._db, self._folder, news)
        seal_dead(self._folder, news.changes, seal)


def _answer(database: Sqlite, question: Callable[[], T], seconds: float | None) -> T:
    """Ask a question, again as long as regular expressions are left to match in another process."""
    matcher = database.matcher
    matcher.begin()
    try:
        with database.ending_after(seconds):
            answer = question()
            while matcher.settle():
                answer = question()
            return answer
    except sqlite3.DatabaseError as error:
        if matcher.failure is not None:
            raise matcher.failure from None
        if is_interrupted(error):
            text = f"the answer took longer than {seconds:g} s: ask for less, or by a command"
            raise QueryError(text, "", 0) from None
        raise


def ask_empty(question: Callable[Concatenate[Sqlite, P], T], *arguments: P.args, **options: P.kwargs) -> T:
    """Return the answer of a question to an index without runs, for stores that do not exist yet."""
    database = Sqlite(None)
    with closing(database):
        database.make_tables()
        return question(database, *arguments, **options)


def _unbuilt(folder: Folder, database: Sqlite) -> str:
    known = count_runs(database)
    return f"another process still builds the index of {str(folder.root)!r}, with {known:,} runs so far"


def _put_off(count: int) -> str:
    whose = f"{count:,} runs with large files are" if count > 1 else "a run with large files is"
    return f"{whose} not read yet: the next commands go on, and `runlore reindex` reads all"


def _next_place(folder: Folder, path: Path) -> Path | None:
    """Return where an index goes that can't be kept at a place: from the store into the cache, then into memory."""
    return cache_place(folder) if path.parent == folder.root else None
