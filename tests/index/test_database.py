"""The database behind the index: errors are told apart by their codes, and writers exclude each other."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore.index.database import Locked, Sqlite, is_busy, is_damaged, is_refused


@pytest.fixture
def database(tmp_path: Path) -> Sqlite:
    made = Sqlite(tmp_path / "index.sqlite")
    with made.writing():
        made.make_tables()
    return made


def error_of(action: Callable[[], object]) -> sqlite3.Error:
    with pytest.raises(sqlite3.DatabaseError) as caught:
        action()
    return caught.value


def kinds(error: sqlite3.Error) -> tuple[bool, bool, bool]:
    return is_busy(error), is_damaged(error), is_refused(error)


def test_a_lock_of_another_connection_is_busy(database: Sqlite) -> None:
    other = sqlite3.connect(str(database.path), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    database.query("PRAGMA busy_timeout = 10")
    assert kinds(error_of(database.has_tables)) == (True, False, False)
    with pytest.raises(Locked), database.writing():
        pass
    other.close()
    assert database.has_tables()


def test_a_file_that_is_no_database_and_a_damaged_one_are_damaged(database: Sqlite, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database" * 100)
    assert kinds(error_of(lambda: Sqlite(tmp_path / "text").has_tables())) == (False, True, False)
    data = bytearray((tmp_path / "index.sqlite").read_bytes())
    data[100:] = b"\xff" * (len(data) - 100)
    (tmp_path / "torn.sqlite").write_bytes(data)
    assert kinds(error_of(lambda: Sqlite(tmp_path / "torn.sqlite").has_tables())) == (False, True, False)


def test_a_database_without_room_or_leave_to_write_is_none_of_these(database: Sqlite) -> None:
    def write() -> None:
        with database.writing():
            database.insert("meta", [(f"key-{number}", "x" * 1000) for number in range(1000)])

    database.query("PRAGMA max_page_count = 1")
    full = error_of(write)
    assert (full.sqlite_errorname, kinds(full)) == ("SQLITE_FULL", (False, False, False))
    assert database.query("SELECT * FROM meta") == [], "it was rolled back"
    database.query("PRAGMA query_only = 1")
    refused = error_of(write)
    assert (refused.sqlite_errorname, kinds(refused)) == ("SQLITE_READONLY", (False, False, False))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT no_such_function(1)",
        "SELECT n FROM no_such_table",
        f"SELECT 1 WHERE {' OR '.join(['1 = 2'] * 3000)}",
        f"SELECT 1 WHERE {'(' * 2000}1{')' * 2000}",
    ],
)
def test_a_statement_that_cannot_be_prepared_is_refused(database: Sqlite, sql: str) -> None:
    assert kinds(error_of(lambda: database.query(sql))) == (False, False, True)


def test_too_many_arguments_are_refused(database: Sqlite) -> None:
    numbers = list(range(300_000))
    sql = f"SELECT n FROM runs WHERE n IN ({', '.join('?' * len(numbers))})"
    assert kinds(error_of(lambda: database.query(sql, numbers))) == (False, False, True)


def test_an_error_of_python_has_no_code(database: Sqlite) -> None:
    database.close()
    assert kinds(error_of(lambda: database.query("SELECT 1"))) == (False, False, False)


def test_one_writes_at_a_time_and_never_to_a_file_that_was_replaced(database: Sqlite, tmp_path: Path) -> None:
    other = Sqlite(tmp_path / "index.sqlite")
    with database.writing(), pytest.raises(Locked), other.writing():
        pass
    with other.writing():
        other.insert("meta", [("key", "value")])
    assert database.query("SELECT value FROM meta") == [("value",)]
    (tmp_path / "index.sqlite").unlink()
    assert database.is_stale()
    with pytest.raises(Locked), database.writing():
        pass


def test_a_connection_that_nobody_holds_any_more_is_closed_without_a_word(tmp_path: Path) -> None:
    """Since 3.13, Python warns where it has to close one itself."""
    place = str(tmp_path / "own.db")
    script = (
        "import sys\nfrom pathlib import Path\nfrom runlore.index.database import Sqlite\n"
        "for place in (None, Path(sys.argv[1])):\n"
        "    assert Sqlite(place).query('SELECT 1') == [(1,)]\n"
        "kept = Sqlite(Path(sys.argv[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script, place], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
