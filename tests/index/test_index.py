"""The index: as fresh as the files, whatever happens to it, and never needed."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import runlore
from runlore import Store, open_store
from runlore.errors import AmbiguousRun, FormatError, RunNotFound, StoreRefused
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
    assert names(open_store(store.root)) == before


def test_an_index_damaged_in_the_middle_is_made_again(store: Store) -> None:
    fill(store, 60)
    before = names(store)
    data = bytearray(index_of(store).read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    index_of(store).write_bytes(data)
    assert names(open_store(store.root)) == before


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
    assert time.monotonic() - began < 1.5
    other.execute("ROLLBACK")
    other.close()
    assert len(store.runs()) == 3


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
        while not stop.wait(0.05):
            index_of(store).unlink(missing_ok=True)

    deleter = threading.Thread(target=delete)
    deleter.start()
    try:
        for reader in readers:
            reader.succeed()
    finally:
        stop.set()
        deleter.join()


def test_a_store_that_cannot_be_written_is_read_all_the_same(store: Store, tmp_path: Path, python: Python) -> None:
    fill(store, 3)
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:-2]:  # up to the system's own folder
        parent.chmod(0o755)
    for path in [store.root, *store.root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    cache = tmp_path / "nobodys-cache"
    cache.mkdir()
    os.chown(cache, 65534, 65534)
    script = """
        import os, sys
        import numpy, runlore.store.runs, runlore.index.index, runlore.index.select  # while their files can be read
        os.setuid(65534)
        store = runlore.open_store(sys.argv[1])
        print([run.name for run in store.runs()], store.run("run-1").metrics["loss"].values.tolist())
    """
    printed = python(script, str(store.root), XDG_CACHE_HOME=str(cache)).succeed()
    assert printed == "['run-2', 'run-1', 'run-0'] [1.0]\n"
    assert not index_of(store).exists()


def test_a_part_of_an_id_or_a_name_finds_a_run(store: Store) -> None:
    fill(store, 3)
    run = store.run("run-1")
    for part in (run.id, run.id[-8:], run.id[3:], run.id.upper()[-8:]):
        assert store.run(part) == run


def test_an_ambiguous_part_lists_its_candidates(store: Store) -> None:
    for _ in range(2):
        store.start_run("same").finish()
    with pytest.raises(AmbiguousRun, match="matches 2 runs") as caught:
        store.run("same")
    assert caught.value.candidates == [run.id for run in store.runs()]
    assert all(candidate in str(caught.value) for candidate in caught.value.candidates)


@pytest.mark.parametrize("part", ["nothing", "", "%", "_", "'", "run-1; DROP TABLE runs"])
def test_an_unknown_part_says_so(store: Store, part: str) -> None:
    fill(store, 2)
    with pytest.raises(RunNotFound, match="no run matches"):
        store.run(part)


def test_a_store_of_a_newer_format_is_refused_with_the_way_out(store: Store) -> None:
    fill(store, 1)
    (store.root / "format").write_text("99\nsomeid\n")
    with pytest.raises(FormatError, match=r"format '99'.*pip install -U runlore"):
        open_store(store.root)


def test_a_store_of_somebody_else_is_used_only_when_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Store(tmp_path / "project" / ".runlore")
    fill(theirs, 1)
    os.chown(theirs.root, 12345, 12345)
    monkeypatch.delenv("RUNLORE_STORE")
    monkeypatch.chdir(tmp_path / "project")
    with pytest.raises(StoreRefused, match="belongs to user 12345"):
        open_store()
    assert len(open_store(theirs.root).runs()) == 1


def test_a_folder_with_other_things_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(StoreRefused, match="not a store"):
        open_store(tmp_path / "photos")


def test_a_store_is_found_upwards_and_made_beside_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNLORE_STORE")
    inner = tmp_path / "project" / "deep" / "inside"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    (tmp_path / "project" / ".git").mkdir()
    assert open_store().root == tmp_path / "project" / ".runlore"
    runlore.start_run("x").finish()
    assert (tmp_path / "project" / ".runlore").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "project" / ".runlore" / ".gitignore").read_text() == "*\n"
    assert open_store().run("x").name == "x"


def test_an_unknown_scheme_names_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(runlore.RunloreError, match="no backend for 's9'"):
        open_store("s9://bucket")
    assert open_store(f"file://{tmp_path}/x").root == tmp_path / "x"


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
