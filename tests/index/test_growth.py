"""The index of a large store: read in parts that last, whoever is interrupted, and asked at a cost of its answer."""

import cProfile
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runlore import Store, open_store
from runlore._process import process
from runlore.errors import RunloreWarning, StoreBusy
from runlore.index import changes, index
from runlore.index.watching import Watching
from tests.forged import ForgedStore
from tests.process import Process
from tests.stress.growing import grow, make_templates, opened

RUNS = 40
Python = Callable[..., Process]


@pytest.fixture
def grown(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store of 40 runs of four days that nobody has read; an index of it is made in parts of ten."""
    templates = make_templates(store, params=5)
    root = tmp_path / "grown"
    open_store(root).start_run().finish()
    shutil.rmtree(root / "runs")
    grow(root, templates, RUNS, 4)
    monkeypatch.setattr(changes, "PART_RUNS", 10)
    yield root
    process.part(Watching).tell = None


def test_who_is_interrupted_leaves_whole_parts_that_the_next_one_goes_on_from(grown: Path) -> None:
    told: list[tuple[int, float]] = []

    def interrupt(runs: int, share: float) -> None:
        told.append((runs, share))
        if len(told) == 2:
            raise KeyboardInterrupt

    process.part(Watching).tell = interrupt
    with pytest.raises(KeyboardInterrupt):
        open_store(grown).runs()
    assert [runs for runs, _ in told] == [10, 20]
    assert told[0][1] < told[1][1] < 1
    process.part(Watching).tell = None
    read: set[str] = set()
    with opened(read), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(open_store(grown).runs()) == RUNS
    assert len(read) == RUNS - 20


def test_a_second_reader_is_answered_from_what_is_there_and_told_so(
    grown: Path, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = python(
        """
        import sys, time
        from runlore import open_store
        from runlore._process import process
        from runlore.index import changes
        from runlore.index.watching import Watching
        changes.PART_RUNS = 10
        def tell(runs, share):
            print(runs, flush=True)
            time.sleep(60)
        process.part(Watching).tell = tell
        open_store(sys.argv[1]).runs()
        """,
        str(grown),
    )
    assert reader.line() == "10"
    monkeypatch.setattr(index, "BUILD_WAIT_S", 0.2)
    with pytest.warns(RunloreWarning, match="another process still builds the index of .* with 10 runs so far"):
        assert len(open_store(grown).runs()) == 10
    with pytest.raises(StoreBusy, match="try again when it is done"):
        open_store(grown).index.require_all()
    reader.kill(signal.SIGKILL)
    assert len(open_store(grown).runs()) == RUNS
    open_store(grown).index.require_all()


def large_runs(folder: Path, names: str, status: str = "finished") -> tuple[ForgedStore, list[str]]:
    """Return a store of runs of 20 kB, a letter each as its name, and their ids."""
    forged, note = ForgedStore(folder / "s"), {"type": "note", "text": "x" * 20_000}
    return forged, [forged.run([note], name=name, end={"status": status}) for name in names]


def test_runs_with_large_files_are_read_behind_all_others_and_told_of_as_long_as_they_are_put_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LARGE_BYTES", 10_000)
    monkeypatch.setattr(index, "PATIENCE_S", -1.0)
    forged, _ = large_runs(tmp_path, "abc")
    forged.run(name="small")

    def names() -> set[str]:
        return {run.name for run in open_store(forged.root).runs()}

    with pytest.warns(RunloreWarning, match="^2 runs with large files are not read yet: the next commands go on"):
        store = open_store(forged.root)
        assert {run.name for run in store.runs()} == {"small", "a"}
    assert len(store.runs()) == 2, "the same process goes on without them for a while"
    with pytest.warns(RunloreWarning, match="^a run with large files is not read yet"):
        assert names() == {"small", "a", "b"}
    forged.run(name="new")
    assert names() == {"small", "new", "a", "b", "c"}
    assert names() == {"small", "new", "a", "b", "c"}


def test_who_acts_on_what_no_run_needs_waits_for_runs_with_large_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LARGE_BYTES", 10_000)
    monkeypatch.setattr(index, "PATIENCE_S", -1.0)
    forged, _ = large_runs(tmp_path, "abc", status="failed")
    with pytest.warns(RunloreWarning, match="^2 runs"):
        store = open_store(forged.root)
        assert len(store.runs()) == 1
    store.index.require_all()
    assert len(store.runs()) == 3
    (store.root / "index-v1.sqlite").unlink()
    with open_store(store.root).start_run("c", resume="allow") as run:
        assert run.id == store.run("c").id


def test_what_another_process_still_reads_of_large_files_is_told_and_waited_for(
    tmp_path: Path, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged, _ = large_runs(tmp_path, "ab")
    forged.run(name="small")
    reader = python(
        """
        import sys, time
        from runlore import open_store
        from runlore._process import process
        from runlore.index import changes
        from runlore.index.watching import Watching
        changes.LARGE_BYTES = 10_000
        def tell(runs, share):
            print(runs, flush=True)
            time.sleep(60 if runs == 2 else 0)
        process.part(Watching).tell = tell
        open_store(sys.argv[1]).runs()
        """,
        str(forged.root),
    )
    assert [reader.line(), reader.line()] == ["1", "2"]
    monkeypatch.setattr(index, "CATCH_UP_WAIT_S", 0.1)
    store = open_store(forged.root)
    with pytest.warns(RunloreWarning, match="another process still reads runs with large files") as told:
        assert [{run.name for run in store.runs()} for _ in range(2)] == [{"small", "a"}] * 2
    assert len(told) == 1
    with pytest.raises(StoreBusy, match="try again when it is done"):
        store.index.require_all()
    reader.kill(signal.SIGKILL)
    store.index.require_all()
    assert len(open_store(forged.root).runs()) == 3


def test_large_files_that_were_put_off_and_are_gone_keep_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LARGE_BYTES", 10_000)
    monkeypatch.setattr(index, "PATIENCE_S", -1.0)
    forged, ids = large_runs(tmp_path, "ab")
    with pytest.warns(RunloreWarning, match="^a run with large files is not read yet"):
        read = {run.id for run in open_store(forged.root).runs()}
    for left in {*ids} - read:
        next(forged.root.rglob(f"{left}.*")).unlink()
    open_store(forged.root).index.require_all()


@pytest.mark.parametrize("flushed", [True, False])
def test_a_restart_of_the_machine_begins_again_only_behind_what_was_not_flushed(grown: Path, flushed: bool) -> None:
    open_store(grown).runs()
    file = grown / "index-v1.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("UPDATE meta SET value = 'another' WHERE key = 'boot'")
    database.close()
    if not flushed:
        (grown / "index-v1.lock").write_text("")
    read: set[str] = set()
    with opened(read):
        assert len(open_store(grown).runs()) == RUNS
        assert len(open_store(grown).runs()) == RUNS
    assert len(read) == (0 if flushed else RUNS)


def test_what_is_written_behind_a_flush_is_not_flushed(grown: Path) -> None:
    """Half of a later commit may be on the disk: the note in the lock file goes before it is made."""
    store = open_store(grown)
    store.runs()
    assert (grown / "index-v1.lock").read_text()
    store.start_run("later").finish()
    store.runs()
    assert (grown / "index-v1.lock").read_text() == ""


def test_memory_grows_with_the_answer(grown: Path) -> None:
    """Of more than 500 runs all of the store's were read."""
    grow(grown, sorted(grown.glob("runs/*/*/*.run"))[:10], 1200, 3)
    store = open_store(grown)
    store.runs(limit=1)

    def peak(limit: int) -> int:
        tracemalloc.start()
        try:
            store.runs(limit=limit)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(501) < 1.2 * peak(500)


def test_a_new_run_takes_no_call_for_each_other_of_its_day(store: Store, tmp_path: Path) -> None:
    """Python counts its own calls, which no load of the machine changes; the names of a day are compared in C."""
    templates = make_templates(store, params=5)

    def calls(others: int) -> int:
        root = tmp_path / str(others)
        open_store(root).start_run().finish()
        grow(root, templates, others, 0)
        grown = open_store(root)
        grown.runs(limit=1)
        grow(root, templates, 1, 0)
        profile = cProfile.Profile()
        profile.runcall(grown.index.refresh)
        assert len(grown.runs()) == others + 2
        return sum(item.callcount for item in profile.getstats())

    assert calls(420) < calls(20) + 100


def test_a_log_that_one_look_leaves_is_sealed_by_the_next(
    store: Store, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one larger than a look seals, or whose reader died: it stayed a log for ever, read whole by each question."""
    writer = python("""
        import runlore, time
        run = runlore.start_run("killed")
        run.log_metrics({"loss": 1.0}, step=1)
        print("logged", flush=True)
        time.sleep(60)
    """)
    assert writer.line() == "logged"
    writer.kill()
    monkeypatch.setattr(index, "MAX_SEALED_BYTES", 0)
    store.index.refresh()
    assert list(store.root.glob("runs/*/*/*.log"))
    store.index.refresh()
    assert not list(store.root.glob("runs/*/*/*.log"))
    assert store.run("killed").metrics["loss"].values.tolist() == [1.0]


def test_a_live_run_that_has_not_grown_is_not_opened(store: Store, python: Python) -> None:
    writer = python("""
        import runlore, time
        run = runlore.start_run("idle")
        run.companions.await_captures()
        run.log_metrics({"loss": 1.0}, step=1)
        print("logged", flush=True)
        time.sleep(60)
    """)
    assert writer.line() == "logged"
    assert [run.status for run in store.runs()] == ["running"]
    store.index.refresh()
    looked: set[str] = set()
    with opened(looked):
        for _ in range(3):
            store.index.refresh()
    assert looked == set()
    writer.kill()
    assert store.run("idle").status == "crashed"


def test_a_writer_that_stays_as_a_zombie_is_dead_soon(store: Store) -> None:
    """Its process can still be seen."""
    code = "import runlore, time; run = runlore.start_run('idle'); print('began', flush=True); time.sleep(60)"
    environment = {**os.environ, "RUNLORE_STORE": str(store.root)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline()
        assert [run.status for run in store.runs()] == ["running"]
        os.kill(writer.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while store.run("idle").status == "running" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert store.run("idle").status == "crashed"
        assert Path(f"/proc/{writer.pid}").exists()


def test_the_runs_of_one_script_share_their_keys_and_their_environment(grown: Path) -> None:
    """Each run had texts of all of them: the index was five times as large, and took longer to write."""
    store = open_store(grown)
    store.runs(limit=1)
    file = grown / "index-v1.sqlite"
    before = file.stat().st_size
    grow(grown, sorted(grown.glob("runs/*/*/*.run"))[:10], 1000, 3)
    store.runs(limit=1)
    assert file.stat().st_size - before < 1200 * 1000
    with sqlite3.connect(file) as database:
        counts = [database.execute(f"SELECT COUNT(*) FROM {table}").fetchone() for table in ("shapes", "environments")]
    database.close()
    assert counts == [(1,), (1,)]


def test_runs_that_share_their_keys_or_their_environment_in_part_have_their_own(store: Store) -> None:
    recorded: list[dict[str, Any]] = [
        {"a": 1, "b": [1, 2]},
        {"b": 2.5, "a": None},
        {"a": "x"},
        {},
        {"b": "y", "a": True},
    ]
    for number, params in enumerate(recorded):
        with store.start_run(f"run-{number}", params=params, tags={"half": number % 2} if number else {}) as run:
            if number % 2:
                run.log_metrics({"loss": float(number)})
            run.log_summary({"best": number, "worst": float("nan")} if number > 2 else {})
    runs = store.runs(sort="id")
    assert [run.params for run in runs] == recorded
    assert [list(run.params) for run in runs] == [sorted(params) for params in recorded]
    assert [run.tags for run in runs] == [{}, *({"half": str(number % 2)} for number in range(1, 5))]
    assert [[*run.metrics] for run in runs] == [[], ["loss"], [], ["loss"], []]
    assert [run.summary.get("best") for run in runs] == [None, None, None, 3, 4]
    assert [run.name for run in store.runs("params.b == 2.5")] == ["run-1"]
    assert len(store.runs("env.python.version != 'x'")) == len(recorded)
