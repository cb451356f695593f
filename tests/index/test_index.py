"""The index: as fresh as the files, whatever happens to it, and never needed."""

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runlore import Store, open_store
from runlore.index.database import Sqlite
from tests.process import Process

Python = Callable[..., Process]


def index_of(store: Store) -> Path:
    return store.root / "index-v1.sqlite"


def fill(store: Store, count: int) -> None:
    for number in range(count):
        with store.start_run(f"run-{number}", params={"number": number}) as run:
            run.log_metrics({"loss": float(number)})


def names(store: Store) -> list[str]:
    return [run.name for run in store.runs()]


def test_a_deleted_index_is_made_again(store: Store) -> None:
    fill(store, 5)
    before = names(store)
    index_of(store).unlink()
    assert names(store) == before
    index_of(store).write_bytes(b"this is no database" * 100)
    again = open_store(store.root)
    assert names(again) == before
    assert again.index.path == index_of(store)


def test_an_index_damaged_in_the_middle_is_made_again(store: Store) -> None:
    fill(store, 60)
    before = names(store)
    data = bytearray(index_of(store).read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    index_of(store).write_bytes(data)
    assert names(open_store(store.root)) == before


def test_an_index_that_is_damaged_while_it_is_open_is_made_again(store: Store) -> None:
    fill(store, 3)
    before = names(store)
    index_of(store).write_bytes(b"this is no database" * 100)
    assert names(store) == before
    index_of(store).write_bytes(b"this is no database" * 100)
    assert (store.reindex(), store.index.path, names(store)) == (3, index_of(store), before)


def test_damage_that_a_question_meets_first_is_mended(store: Store) -> None:
    fill(store, 40)
    before = names(store)
    pages = store.ask(pages_of, "summary_num")
    data = bytearray(index_of(store).read_bytes())
    for page in pages:
        data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    index_of(store).write_bytes(data)
    fresh = open_store(store.root)
    fresh.index.refresh()
    found = fresh.ask(lambda database: database.query("SELECT COUNT(*) FROM summary INDEXED BY summary_num"))
    assert (found, names(fresh), fresh.index.path) == ([(0,)], before, index_of(store))


def pages_of(database: Sqlite, name: str) -> list[int]:
    """The pages of an index or a table of SQLite."""
    return [page for (page,) in database.query("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,))]


def limit(database: Sqlite, pragma: str) -> None:
    """Set a limit of the connection."""
    database.query(f"PRAGMA {pragma}")


@pytest.mark.parametrize("pragma", ["max_page_count = 1", "query_only = 1"])
def test_an_index_that_is_full_or_read_only_goes_on_in_memory(store: Store, pragma: str) -> None:
    fill(store, 1)
    assert names(store) == ["run-0"]
    store.ask(limit, pragma)
    fill(store, 60)
    assert len(names(store)) == 61
    assert store.index.path is None
    assert len(names(open_store(store.root))) == 61


def test_runs_that_are_copied_in_or_removed_are_noticed(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    fill(other, 2)
    assert names(other) == ["run-1", "run-0"]
    with store.start_run("mine"):
        pass
    assert names(store) == ["mine"]
    for path in other.root.rglob("*.run"):
        target = store.root / path.relative_to(other.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert sorted(names(store)) == ["mine", "run-0", "run-1"]
    for path in store.root.rglob("*.run"):
        if path.name.startswith(other.run("run-0").id):
            path.unlink()
    assert sorted(names(store)) == ["mine", "run-1"]


def test_a_look_without_news_reads_no_run(store: Store) -> None:
    fill(store, 3)
    store.runs()
    for path in store.root.rglob("*.run"):
        path.chmod(0)
    with os.scandir(store.root / "runs") as entries:
        month = next(entry.path for entry in entries)
    day = next(Path(month).iterdir())
    os.utime(day, (time.time() - 60, time.time() - 60))
    assert len(open_store(store.root).runs()) == 3
    assert len(open_store(store.root).runs()) == 3


def test_a_locked_index_gives_the_last_answer_at_once(store: Store) -> None:
    fill(store, 2)
    assert len(store.runs()) == 2
    other = sqlite3.connect(index_of(store), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    fill(store, 1)
    began = time.monotonic()
    assert len(store.runs()) == 2
    assert time.monotonic() - began < 4  # SQLite itself would wait for five seconds
    other.execute("ROLLBACK")
    other.close()
    assert len(store.runs()) == 3


@pytest.mark.stress
def test_many_readers_and_one_who_deletes_agree(store: Store, python: Python) -> None:
    fill(store, 40)
    readers = [
        python("""
            import runlore
            for _ in range(40):
                runs = runlore.open_store().runs("params.number >= 0", sort="-metrics.loss")
                assert len(runs) == 40, len(runs)
                assert [run.params["number"] for run in runs] == list(range(40))[::-1]
        """)
        for _ in range(6)
    ]
    stop = threading.Event()

    def delete() -> None:
        while not stop.wait(0.2):  # whoever can't build it between two of these is told less than all, after 5 s
            index_of(store).unlink(missing_ok=True)

    deleter = threading.Thread(target=delete)
    deleter.start()
    try:
        for reader in readers:
            reader.succeed()
    finally:
        stop.set()
        deleter.join()


@pytest.fixture
def for_everybody() -> Iterator[Path]:
    """A folder that other users can enter; those of pytest are closed again whenever another session starts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_store_that_cannot_be_written_is_read_all_the_same(
    store: Store, tmp_path: Path, for_everybody: Path, python: Python
) -> None:
    fill(store, 3)
    root = for_everybody / "store"
    shutil.copytree(store.root, root)
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    cache = for_everybody / "nobodys-cache"
    cache.mkdir()
    os.chown(cache, 65534, 65534)
    script = """
        import os, sys
        import numpy, runlore.store.runs, runlore.index.index, runlore.index.select  # while their files can be read
        os.chdir(sys.argv[1])
        os.setuid(65534)
        store = runlore.open_store(sys.argv[1])
        print([run.name for run in store.runs()], store.run("run-1").metrics["loss"].values.tolist())
    """
    printed = python(script, str(root), XDG_CACHE_HOME=str(cache)).succeed()
    assert printed == "['run-2', 'run-1', 'run-0'] [1.0]\n"
    assert not index_of(open_store(root)).exists()


def test_a_live_run_is_followed_while_it_grows(store: Store, python: Python) -> None:
    process = python("""
        import sys, runlore
        run = runlore.start_run("live")
        for step in range(3):
            run.log_metrics({"loss": 1.0 - step}, step=step)
            print(step, flush=True)
        import time; time.sleep(60)
    """)
    for step in range(3):
        assert process.line() == str(step)
    run = store.run("live")
    assert (run.status, run.metrics["loss"].min, run.metrics["loss"].count) == ("running", -1.0, 3)
    assert [found.id for found in store.runs("status == 'running' and metrics.loss.min < 0")] == [run.id]
    process.kill()
    assert store.runs("status == 'crashed'")[0].id == run.id
