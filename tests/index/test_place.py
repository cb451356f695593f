"""Where an index lies, and that one which somebody else made is never believed."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store, open_store
from runlore.index.place import KEY_DIGITS
from runlore.log.liveness import boot_id
from tests.process import Process

Python = Callable[..., Process]


def index_of(store: Store) -> Path:
    return store.root / "index-v1.sqlite"


@pytest.fixture
def own(store: Store) -> Store:
    """A store with one run and an index."""
    with store.start_run("mine"):
        pass
    assert names(store) == ["mine"]
    return open_store(store.root)


def names(store: Store) -> list[str]:
    return [run.name for run in store.runs()]


def lie(path: Path, **meta: str) -> None:
    """Let an index say something else, as the files of the store don't; and what it says of itself."""
    with sqlite3.connect(path) as database:
        database.execute("UPDATE runs SET name = 'forged'")
        for key, value in meta.items():
            database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
    database.close()


def test_an_index_of_this_user_stays_where_it_is(own: Store) -> None:
    before = index_of(own).stat().st_ino
    assert (names(own), own.index.path) == (["mine"], index_of(own))
    assert index_of(own).stat().st_ino == before


def test_an_index_without_a_proof_is_made_anew(own: Store) -> None:
    """As one that came with the store, or of an earlier version."""
    lie(index_of(own), proof="", boot=boot_id())
    assert names(own) == ["mine"]
    assert own.index.path == index_of(own)


def test_an_index_of_the_same_user_with_another_secret_is_left_alone(own: Store, tmp_path: Path) -> None:
    """As of another container, which works with the store at the same time."""
    lie(index_of(own), proof="0" * 32)
    before = index_of(own).read_bytes()
    assert names(own) == ["mine"]
    place = own.index.path
    assert place is not None
    assert place.parent.parent == tmp_path / "cache" / "runlore"
    assert len(place.parent.name) == KEY_DIGITS
    assert index_of(own).read_bytes() == before


def test_a_proof_counts_for_one_file(own: Store) -> None:
    """It came along with a copy, and what it says is not so."""
    lie(index_of(own))
    shutil.copyfile(index_of(own), own.root / "copy")
    index_of(own).unlink()
    (own.root / "copy").rename(index_of(own))
    assert names(own) == ["mine"]


def test_an_index_that_is_put_into_place_while_the_store_is_open_is_not_believed(own: Store, tmp_path: Path) -> None:
    """As by a copy over it, which keeps the file and changes its content."""
    assert names(own) == ["mine"]
    foreign = Store(tmp_path / "foreign")
    with foreign.start_run("theirs"):
        pass
    foreign.runs()
    lie(index_of(foreign), proof="")
    index_of(own).write_bytes(index_of(foreign).read_bytes())
    assert names(own) == ["mine"]


@pytest.mark.parametrize("schema", ["loop", "other tables", "a view", "garbage", "empty"])
def test_a_hostile_index_is_neither_believed_nor_waited_for(own: Store, schema: str) -> None:
    path = index_of(own)
    path.unlink()
    endless = "WITH RECURSIVE n(key, value) AS (SELECT 'a', 1 UNION ALL SELECT key, value + 1 FROM n) SELECT * FROM n"
    if schema in ("garbage", "empty"):
        path.write_bytes(b"" if schema == "empty" else os.urandom(9000))
    else:
        with sqlite3.connect(path) as database:
            if schema == "loop":
                database.execute(f"CREATE VIEW meta AS {endless}")
            elif schema == "a view":
                database.execute("CREATE TABLE meta (key, value)")
                database.execute("CREATE VIEW runs AS SELECT key FROM meta")
            else:
                database.execute("CREATE TABLE metrics (key, value)")
        database.close()
    assert names(own) == ["mine"]
    assert own.index.path == path


@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
def test_what_lies_beside_an_index_is_never_played_into_it(own: Store, tmp_path: Path, end: str) -> None:
    """A journal may name any file, which SQLite would remove."""
    document = tmp_path / "document.txt"
    document.write_text("mine")
    beside = index_of(own).with_name(index_of(own).name + end)
    name = str(document).encode()
    total = sum(name).to_bytes(4, "big")
    magic = bytes.fromhex("d9d505f920a163d7")
    head = magic + b"".join(number.to_bytes(4, "big") for number in (0, 0, 1, 512, 4096))
    tail = (0x40000000 // 4096 + 1).to_bytes(4, "big") + name + len(name).to_bytes(4, "big") + total + magic
    beside.write_bytes(head.ljust(512, b"\0") + tail)
    assert names(own) == ["mine"]
    assert document.read_text() == "mine"
    assert not beside.exists() or end != "-journal"


def test_a_store_names_no_place_in_the_cache(own: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id once did, so that an index could be made anywhere."""
    (own.root / "format").write_text("1\n../../../elsewhere\n")
    lie(index_of(own), proof="0" * 32)
    assert names(open_store(own.root)) == ["mine"]
    assert not list(tmp_path.rglob("elsewhere"))


def test_without_a_secret_an_index_is_kept_in_the_cache(own: Store, python: Python, tmp_path: Path) -> None:
    script = "import runlore, sys\nstore = runlore.open_store(sys.argv[1])\nprint(len(store.runs()), store.index.path)"
    home = str(tmp_path / "cache")
    told = python(script, str(own.root), XDG_STATE_HOME="/proc/self", XDG_CACHE_HOME=home).succeed()
    assert told.startswith(f"1 {home}")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_an_index_of_another_user_is_not_used(own: Store, tmp_path: Path) -> None:
    os.chown(index_of(own), 12345, -1)
    before = index_of(own).read_bytes()
    assert names(own) == ["mine"]
    assert str(own.index.path).startswith(str(tmp_path / "cache"))
    assert index_of(own).read_bytes() == before


@pytest.mark.parametrize("mode", [0o775, 0o2770, 0o1777])
def test_where_others_may_write_the_index_lies_in_the_cache(own: Store, mode: int) -> None:
    """They may leave a journal while SQLite is at work, which would have removed the file that it names."""
    index_of(own).unlink()
    own.root.chmod(mode)
    there = open_store(own.root)
    assert names(there) == ["mine"]
    assert there.index.path is not None
    assert own.root not in there.index.path.parents
    assert not index_of(own).exists()
