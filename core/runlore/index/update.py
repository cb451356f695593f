"""Updates of the index: what changed in a store, written into the tables."""

from typing import Any

from runlore._warnings import report
from runlore.index.changes import Change, News
from runlore.index.database import BY_RUN, Sqlite
from runlore.index.rows import Batch, environment_rows
from runlore.log.folder import Folder, WriterFile
from runlore.log.liveness import boot_id
from runlore.log.record import Record, Writers

VERSION = "8"  # of the tables and of what their rows mean


def is_ready(database: Sqlite) -> bool:
    """Return True if the tables are there, made by this version in this very file since this machine was started.

    Commits are not flushed, so a machine that went down may have left half of one. A file that came along with copied
    runs knows the days of the folder that it came from.
    """
    if not database.has_tables():
        return False
    meta = dict(database.query("SELECT key, value FROM meta"))
    return meta == _meta(database)


def _meta(database: Sqlite) -> dict[str, str]:
    return {"version": VERSION, "boot": boot_id(), "file": database.identity}


def fill(database: Sqlite, folder: Folder, news: News) -> None:
    """Make the tables anew and store all runs, within a transaction."""
    database.make_tables()
    database.insert("meta", list(_meta(database).items()))
    apply(database, folder, news)


def apply(database: Sqlite, folder: Folder, news: News) -> None:
    """Store what changed, within a transaction; report damage to files that was not known."""
    for day in news.gone_days:
        for (run_id,) in database.query("SELECT DISTINCT run FROM files WHERE day = ?", (day,)):
            _delete_run(database, day, run_id)
        database.execute("DELETE FROM days WHERE day = ?", (day,))
    for day, run_id in news.gone:
        _delete_run(database, day, run_id)
    known = dict(database.query("SELECT id, n FROM runs"))
    damaged = dict(database.query("SELECT id, damaged FROM runs WHERE damaged > 0"))
    batch = Batch(max(known.values(), default=0) + 1)
    for change in news.changes:
        if change.record is None or change.writers is None:
            _delete_run(database, change.day, change.run_id)
            continue
        number = known.get(change.run_id)
        if number is not None:
            _delete_run(database, change.day, change.run_id)
        batch.add(change.record, change.tallies, number)
        batch.files += [_file_row(change, item) for item in change.files]
        _report_damage(change.record, change.writers, damaged.get(change.run_id, 0))
    _store_environments(database, folder, news)
    batch.insert_into(database)
    for day, mtime in news.days:
        database.execute("DELETE FROM days WHERE day = ?", (day,))
        database.insert("days", [(day, mtime)])


def _delete_run(database: Sqlite, day: str, run_id: str) -> None:
    for (number,) in database.query("SELECT n FROM runs WHERE id = ?", (run_id,)):
        for table in BY_RUN:
            database.execute(f"DELETE FROM {table} WHERE run = ?", (number,))
        database.execute("DELETE FROM runs WHERE n = ?", (number,))
    database.execute("DELETE FROM files WHERE day = ? AND run = ?", (day, run_id))


def _store_environments(database: Sqlite, folder: Folder, news: News) -> None:
    """Store the sections of environments that are new; runs share the rows of equal ones."""
    seen: set[tuple[str, str]] = set()
    for change in news.changes:
        for section, item in (change.record.environment if change.record else {}).items():
            identity = (section, str(item["sha256"]))
            if identity in seen:
                continue
            seen.add(identity)
            if not database.query("SELECT 1 FROM env WHERE section = ? AND sha256 = ? LIMIT 1", identity):
                database.insert("env", environment_rows(folder, section, item))


def _report_damage(record: Record, writers: Writers, known: int) -> None:
    if record.damaged_bytes > known:
        report(f"run {record.id}: {record.damaged_bytes} bytes of its files are damaged; the rest was read")
    for reason in writers.unreadable:
        report(f"run {record.id}: a file can't be read: {reason}")


def _file_row(change: Change, item: WriterFile) -> tuple[Any, ...]:
    """Return the row of a file; of a live run's log with how far it was read, to go on from there."""
    name = item.path.name
    replay = None
    if change.record is not None and change.record.live and change.writers is not None:
        found = next((content for content in change.writers.contents if content.path.name == name), None)
        replay = found.replay.encode() if found is not None and found.replay is not None else None
    size, mtime = change.states.get(name, (-1, 0))
    return (change.day, change.run_id, name, size, mtime, replay)
