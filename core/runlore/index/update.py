"""Updates of the index: what changed in a store, written into the tables."""

import json
import sqlite3
from collections.abc import Sequence
from itertools import count
from typing import Any

from runlore._warnings import report
from runlore.index.changes import Change, News, is_dead_log, note_settled
from runlore.index.database import (
    BY_RUN,
    COUNTED,
    INDEXES,
    LIVE,
    SILENT,
    UNSEALED,
    Sqlite,
    chunks,
    is_of_value,
)
from runlore.index.place import proof_of
from runlore.index.rows import Batch, Sections, Shared, load_shapes
from runlore.log import liveness
from runlore.log.folder import Folder, WriterFile
from runlore.log.frames import fault_text
from runlore.log.liveness import boot_id
from runlore.log.record import UNREADABLE, Record, Writers

VERSION = "18"  # of the tables and of what their rows mean
NOT_BUILT, BUT_LARGE, BUILT = "", "but large", "yes"  # how far all runs were read
SORT_CACHE_KIB = 8 << 10


class Foreign(sqlite3.DatabaseError):
    """A database is not this user's: it counts as none of ours, like a damaged one, and is replaced by a new file."""

    sqlite_errorcode = sqlite3.SQLITE_NOTADB


def is_ready(database: Sqlite) -> bool:
    """Return True if the tables are there, made by this user and version in this very file, and whole.

    Commits are not flushed, so a machine that went down may have left half of one: what was written before this machine
    was started counts only where it was flushed behind the last commit. A file that came along with copied runs knows
    the days of the folder that it came from.
    """
    if not database.has_tables():
        return False
    wanted = _meta(database)
    meta = _known_meta(database)
    return meta == wanted or (meta == {**wanted, "boot": meta["boot"]} and database.is_flushed())


def adopt(database: Sqlite) -> None:
    """Take a database that is ready for one that was written since this machine was started."""
    if _known_meta(database)["boot"] != boot_id():
        with database.writing():
            database.execute("UPDATE meta SET value = ? WHERE key = 'boot'", (boot_id(),))
            database.execute("UPDATE runs SET live = ? WHERE live = ?", (LIVE, SILENT))  # here a writer may be dead


def _meta(database: Sqlite) -> dict[str, str]:
    identity = database.identity
    return {"version": VERSION, "boot": boot_id(), "file": identity, "proof": proof_of(identity)}


def _known_meta(database: Sqlite) -> dict[str, str]:
    known = dict(database.query("SELECT key, value FROM meta"))
    return {key: known.get(key, "") for key in ("version", "boot", "file", "proof")}


def begin(database: Sqlite) -> None:
    """Make the tables anew, without runs; until `set_built` is told otherwise, more are missing than are new.

    Raises:
        Foreign: there are tables that nothing proves to be this user's.
    """
    with database.writing():
        if database.has_tables() and not _is_ours(database):
            raise Foreign
        database.make_tables()
        database.insert("meta", [*_meta(database).items(), ("built", NOT_BUILT)])


def is_built(database: Sqlite) -> bool:
    """Return True if all runs were read once, but for those with large files that `is_whole` asks for.

    False while the first process reads them or after it was interrupted.
    """
    return _built(database) in (BUILT, BUT_LARGE)


def is_whole(database: Sqlite) -> bool:
    """Return True if all runs were read, those with large files, too."""
    return _built(database) == BUILT


def set_built(database: Sqlite, state: str) -> None:
    """Note whether all runs were read: `BUILT`, `BUT_LARGE` while those with large files are left, else `NOT_BUILT`."""
    if _built(database) != state:
        with database.writing():
            database.execute("UPDATE meta SET value = ? WHERE key = 'built'", (state,))


def _built(database: Sqlite) -> object:
    return next((value for (value,) in database.query("SELECT value FROM meta WHERE key = 'built'")), NOT_BUILT)


def make_indexes(database: Sqlite) -> None:
    """Make the indexes that are missing, each in a transaction of its own, with the lock held.

    Behind the rows of a new database they take a tenth of what they take before them.
    """
    known = {name for (name,) in database.query("SELECT name FROM sqlite_master WHERE type = 'index'")}
    missing = [name for name in INDEXES if name not in known]
    if missing:
        database.execute("PRAGMA temp_store = FILE")  # rows are sorted in bounded memory
        database.execute(f"PRAGMA cache_size = -{SORT_CACHE_KIB}")
        database.execute("PRAGMA shrink_memory")
    try:
        for name in missing:
            with database.writing():
                database.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {INDEXES[name]}")
    finally:
        if missing:
            database.execute("PRAGMA temp_store = MEMORY")


def count_runs(database: Sqlite) -> int:
    """Return how many runs the index has."""
    return int(database.query("SELECT COUNT(*) FROM runs")[0][0])


def give_up_sealing(database: Sqlite, runs: Sequence[str]) -> None:
    """Note that logs of runs can't be sealed, within a transaction."""
    for run_id in runs:
        database.execute("UPDATE runs SET live = 0 WHERE id = ? AND live = ?", (run_id, UNSEALED))


def _is_ours(database: Sqlite) -> bool:
    rows = database.query("SELECT value FROM meta WHERE key = 'proof' LIMIT 1")
    return rows == [(proof_of(database.identity),)]


def apply(database: Sqlite, folder: Folder, news: News) -> None:
    """Store what changed, within a transaction; report damage to files that was not known."""
    for day in news.gone_days:
        for (run_id,) in database.query("SELECT DISTINCT run FROM files WHERE day = ?", (day,)):
            _delete_run(database, day, run_id)
        database.execute("DELETE FROM days WHERE day = ?", (day,))
    for day, run_id in news.gone:
        _delete_run(database, day, run_id)
    known = _known_runs(database, [change.run_id for change in news.changes])
    ((last,),) = database.query("SELECT COALESCE(MAX(n), 0) FROM runs")
    following = count(last + 1)
    numbered: list[tuple[int, Change]] = []
    for change in news.changes:
        number, damaged = known.get(change.run_id, (None, 0))
        if number is not None or change.record is None:
            _delete_run(database, change.day, change.run_id)
        if change.record is None or change.writers is None:
            continue
        numbered.append((next(following) if number is None else number, change))
        _report_damage(change.record, change.writers, damaged)
    _store_environments(database, folder, news)
    _store(database, numbered)
    later = "INSERT INTO days VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET mtime = excluded.mtime"
    database.execute_many(later, news.days)


def _known_runs(database: Sqlite, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return number and damaged bytes of those among some runs that the index knows."""
    known: dict[str, tuple[int, int]] = {}
    for marks, some in chunks(ids):
        for run_id, number, damaged in database.query(f"SELECT id, n, damaged FROM runs WHERE id IN {marks}", some):
            known[run_id] = (number, damaged)
    return known


def _store(database: Sqlite, numbered: Sequence[tuple[int, Change]]) -> None:
    """Store runs under their numbers. What a run holds that can't be stored costs no other run."""
    batch = Batch(Shared(database), {key for (key,) in database.query("SELECT key FROM asked")})
    try:
        for number, change in numbered:
            if change.record is not None and change.writers is not None:
                waits = any(is_dead_log(content) for content in change.writers.contents)
                batch.add(change.record, change.tallies, number, UNSEALED if waits else 0)
                batch.files += [_file_row(change, item) for item in change.files]
        with database.savepoint():
            batch.insert_into(database)
    except Exception as error:  # of a value that somebody else has written
        if not is_of_value(error):
            raise
        if len(numbered) == 1 and numbered[0][1].fault:
            return  # not even its bare row
        for item in numbered:
            if len(numbered) == 1:
                item[1].fail(error)
            _store(database, [item])


def _delete_run(database: Sqlite, day: str, run_id: str) -> None:
    for (number,) in database.query("SELECT n FROM runs WHERE id = ?", (run_id,)):
        _delete_params(database, number)
        for table in COUNTED:
            keys = database.query(f"SELECT key FROM {table} WHERE run = ?", (number,))
            database.count({(table, key): -1 for (key,) in keys})
        for table in BY_RUN:
            database.execute(f"DELETE FROM {table} WHERE run = ?", (number,))
        database.execute("DELETE FROM runs WHERE n = ?", (number,))
    database.execute("DELETE FROM files WHERE day = ? AND run = ?", (day, run_id))


def _delete_params(database: Sqlite, number: int) -> None:
    for (shape,) in database.query("SELECT shape FROM held WHERE run = ?", (number,)):
        keys = load_shapes(database, [shape])[shape].params
        database.count({("params", key): -1 for key in keys})
        database.execute_many("DELETE FROM params WHERE key = ? AND run = ?", [(key, number) for key in keys])


def _store_environments(database: Sqlite, folder: Folder, news: News) -> None:
    """Store the sections of environments that are new; runs share the rows of equal ones."""
    seen: set[tuple[str, str]] = set()
    for change in news.changes:
        sections = Sections(folder)
        for section, item in (change.record.environment if change.record else {}).items():
            identity = (section, str(item["sha256"]))
            if identity in seen:
                continue
            seen.add(identity)
            if not database.query("SELECT 1 FROM env WHERE section = ? AND sha256 = ? LIMIT 1", identity):
                _store_section(database, sections, change, section)


def _store_section(database: Sqlite, sections: Sections, change: Change, section: str) -> None:
    assert change.record is not None
    try:
        rows = list(sections.rows(section, change.record.environment[section]))
        with database.savepoint():
            database.insert("env", rows)
            database.count({("env", row[2]): 1 for row in rows})
    except Exception as error:  # of a value that somebody else has written
        if not is_of_value(error):
            raise
        report(f"run {change.run_id}: a section of its environment can't be read: {fault_text(error)}")


def _report_damage(record: Record, writers: Writers, known: int) -> None:
    if record.damaged_bytes > known:
        places = writers.damages()
        told = f" ({places[0]})" if places else ""
        report(f"run {record.id}: {record.damaged_bytes} bytes of its files are damaged{told}; the rest was read")
    for reason in writers.unreadable if record.status != UNREADABLE else ():
        report(f"run {record.id}: a file can't be read: {reason}")


def _file_row(change: Change, item: WriterFile) -> tuple[Any, ...]:
    """Return the row of a file; of a log that grows, or is to be sealed, with how far it was read, to go on there."""
    name = item.path.name
    identity = replay = None
    if change.record is not None and change.writers is not None:
        found = next((content for content in change.writers.contents if content.path.name == name), None)
        if found is not None and (note_settled(change, found) or change.record.live or is_dead_log(found)):
            told = liveness.identity_of(found.events)
            identity = json.dumps({key: told[key] for key in liveness.IDENTITY if key in told})
            replay = found.replay.encode() if found.replay is not None else None
    size, ctime = change.states.get(name, (-1, 0))
    return (change.day, change.run_id, name, size, ctime, identity, replay)
