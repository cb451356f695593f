"""What once broke: races, foreign content, odd steps, statuses that were not honest."""

import copy
import os
import pickle
import shutil
import signal
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runlore import RunloreWarning, Store, open_store
from runlore.errors import ArtifactNotFound, QueryError, RunNotFound, UnsafePath
from runlore.log import frames
from runlore.recording.additions import addition_to
from tests.process import Process

Python = Callable[..., Process]


def test_threads_that_define_the_same_keys_at_once_agree(store: Store) -> None:
    for number in range(30):
        run = store.start_run(f"race-{number}")
        barrier = threading.Barrier(8)

        def work(thread: int, run: Any = run, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            for step in range(20):
                run.log_metrics({"a": 1.0}, thread * 100 + step)
                run.log_metrics({f"own-{thread}": 2.0}, step)

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run.finish()
        metrics = store.run(f"race-{number}").metrics
        assert metrics["a"].values.tolist() == [1.0] * 160
        assert all(metrics[f"own-{thread}"].values.tolist() == [2.0] * 20 for thread in range(8))


def test_steps_go_on_in_a_fork_after_the_end_and_behind_a_pickle(store: Store) -> None:
    run = store.start_run("on")
    for value in range(3):
        run.log_metrics({"loss": float(value)})
    child = os.fork()
    if child == 0:
        run.log_metrics({"loss": 3.0})
        os._exit(0)
    os.waitpid(child, 0)
    run.finish()
    ways: list[Callable[[], Any]] = [
        lambda: addition_to(run),
        lambda: pickle.loads(pickle.dumps(run)),
        lambda: copy.deepcopy(run),
    ]
    for way in ways:
        again = way()
        again.log_metrics({"loss": 9.0})
        again.finish()
    assert store.run("on").metrics["loss"].values.tolist()[:3] == [0.0, 1.0, 2.0]
    assert store.run("on").metrics["loss"].steps.tolist() == list(range(7))


def test_a_store_that_is_just_being_made_is_no_foreign_folder(store: Store) -> None:
    (store.root / "runs").mkdir(parents=True)
    open_store(store.root).start_run("first").finish()
    assert len(store.runs()) == 1


def test_a_damaged_last_frame_is_never_thrown_away(store: Store, python: Python) -> None:
    process = python("""
        import os, runlore
        run = runlore.start_run("note")
        run.companions.await_captures()
        run.note("the only copy of this")
        os.kill(os.getpid(), 9)
    """)
    process.wait()
    (log,) = store.root.rglob("*.log")
    data = bytearray(log.read_bytes())
    data[-3] ^= 1
    log.write_bytes(data)
    with pytest.warns(RunloreWarning, match="damaged"):
        run = store.run("note")
    assert run.status == "crashed"
    assert "damaged" in run.missing[0]["why"]
    store.reindex()
    assert log.exists()


@pytest.mark.parametrize(
    "payload",
    [b"[]", b"{}", b"no json", b'{"time":1}', b'{"type":"params","time":1}', b'{"type":"end","time":1}',
     b'{"type":"tags","time":1,"values":3}', b'{"type":"artifact","time":1,"size":1e400,"name":[1]}',
     b'{"type":"environment","time":1,"sections":{"x":{}}}'],
)  # fmt: skip
def test_foreign_content_in_one_run_costs_no_other(store: Store, payload: bytes) -> None:
    store.start_run("good").finish()
    run = store.start_run("bad")
    (log,) = store.root.rglob("*.log")
    with log.open("ab") as file:
        file.write(frames.frame(frames.EVENT, payload))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunloreWarning)
        assert "good" in [found.name for found in store.runs()]
        assert store.run("bad").status == "running"
        run.finish()
        store.reindex()
        assert "good" in [found.name for found in store.runs()]


def test_odd_arguments_are_recorded_and_break_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    with store.start_run("odd", experiment=["x"]) as run:  # type: ignore[arg-type]
        run.log_artifact(tmp_path / "f", step=2**64, kind={"a": 1}, epoch=np.float32(3))  # type: ignore[arg-type]
        run.log_artifact(tmp_path / "f", step=np.int64(3), name=Path("p"))  # type: ignore[arg-type]
        run.log_metrics({"a": 1.0}, split=("val",))  # type: ignore[arg-type]
        run.log_params({"\udc80": "\udc80"})
        run.set_tags({"\udc80": object()})
        run.finish(["x"])  # type: ignore[arg-type]
    found = store.run("odd")
    assert [artifact.step for artifact in found.artifacts] == [None, 3]
    assert found.experiment == "['x']"
    assert len(store.runs()) == 1


def test_the_highest_step_of_all_is_no_trap(store: Store) -> None:
    with store.start_run("high") as run:
        run.log_metrics({"a": 1.0}, step=2**63 - 1)
        run.log_metrics({"a": 2.0})
        run.log_metrics({"b": 1.0}, step=np.uint8(255))  # type: ignore[arg-type]
        run.log_metrics({"b": 2.0})
    metrics = store.run("high").metrics
    assert metrics["a"].values.tolist() == [2.0]
    assert metrics["b"].steps.tolist() == [255, 256]


def test_a_copied_day_is_not_read_twice(store: Store) -> None:
    store.start_run("once").finish()
    day = next((store.root / "runs").glob("*/*"))
    shutil.copytree(day, day.with_name(day.name + ".bak"))
    shutil.copytree(day, day.with_name("99"))
    assert len(open_store(store.root).runs()) == 1


def test_two_readers_of_a_growing_run_keep_one_index(store: Store) -> None:
    other = Store(store.root)
    inode = None
    run = store.start_run("grows")
    for step in range(5):
        run.log_metrics({"a": float(step)})
        assert store.runs()[0].metrics["a"].count == step + 1
        run.log_metrics({"a": float(step)}, step=step)
        assert other.runs()[0].metrics["a"].count == step + 1
        now = (store.root / "index-v1.sqlite").stat().st_ino
        assert inode in (None, now)
        inode = now
    run.finish()


def test_a_recorded_run_outlives_the_sealing_of_its_log(store: Store) -> None:
    run = store.start_run("sealed")
    run.log_metrics({"a": 1.0})
    found = store.run("sealed")
    assert found.artifacts == []
    run.finish()
    assert found.metrics["a"].values.tolist() == [1.0]


def test_a_handler_that_ends_after_sigterm_reads_interrupted(store: Store, python: Python) -> None:
    for body in ("with run: [time.sleep(0.05) for _ in range(1200)]", "[time.sleep(0.05) for _ in range(1200)]"):
        process = python(f"""
            import signal, sys, time, runlore
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            run = runlore.start_run("handled")
            print("ready", flush=True)
            {body}
        """)
        process.line()
        assert process.kill(signal.SIGTERM) == 0
        assert store.runs()[0].status == "interrupted"


def test_a_run_of_a_multiprocessing_child_ends_with_it(store: Store, python: Python) -> None:
    python("""
        import multiprocessing, runlore
        def work():
            runlore.start_run("child").log_metrics({"x": 1.0})
        context = multiprocessing.get_context("fork")
        process = context.Process(target=work)
        process.start()
        process.join()
    """).succeed()
    assert store.run("child").status == "finished"


def test_a_closed_stderr_is_no_trap(python: Python) -> None:
    python("""
        import sys, warnings, runlore
        warnings.simplefilter("error")
        with runlore.start_run() as run:
            sys.stderr.close()
            run.log_metrics({"a": "x"})
    """).succeed()


def test_what_cannot_be_added_says_so(store: Store, tmp_path: Path) -> None:
    with store.start_run("fixed"):
        pass
    found = store.run("fixed")
    day = next(store.root.glob("runs/*/*"))
    moved = tmp_path / "moved"
    day.rename(moved)
    day.touch()
    with pytest.raises(RunNotFound, match=f"run {found.id} is not in"):
        found.note("lost?")


def test_a_recorded_name_cannot_climb_and_a_damaged_blob_is_not_restored(store: Store, tmp_path: Path) -> None:
    (tmp_path / "src" / "sub").mkdir(parents=True)
    (tmp_path / "src" / "f").write_bytes(b"content")
    with store.start_run("files") as run:
        run.log_artifact(tmp_path / "src" / "sub" / "..", name="m")
        run.log_artifact(tmp_path / "src" / "f", name="f")
    with pytest.raises(UnsafePath):
        store.run("files").artifact("m").restore(tmp_path / "out" / "inner")
    artifact = store.run("files").artifact("f")
    assert artifact.sha256 is not None
    blob = artifact.blobs.path(artifact.sha256)
    blob.chmod(0o600)
    blob.write_bytes(b"c0ntent")
    with pytest.raises(ArtifactNotFound, match="damaged"):
        artifact.restore(tmp_path / "out")
    with pytest.raises(ArtifactNotFound, match="damaged"):
        artifact.read_bytes()


def test_ten_thousand_writers_stay_in_order(store: Store) -> None:
    with store.start_run("many") as run:
        run.log_metrics({"a": 1.0}, step=0)
    (path,) = store.root.rglob("*.run")
    later = path.with_name(path.name.replace(".0000", ".10000"))
    earlier = path.with_name(path.name.replace(".0000", ".9999"))
    for copied in (later, earlier):
        shutil.copy(path, copied)
    assert [item.ordinal for item in store.folder.files_of(run.id)] == [0, 9999, 10000]


def test_numbers_of_64_bits_compare_exactly(store: Store) -> None:
    with store.start_run(params={"seed": 2**53 + 1, "list": [1, 2], "huge": 2**80}):
        pass
    assert len(store.runs(f"params.seed == {2**53 + 1}")) == 1
    assert len(store.runs(f"params.seed == {2**53}")) == 0
    assert len(store.runs(f"params.huge > {2**70} and params.seed < {2**90}")) == 1
    assert store.runs(limit=2**70)[0].params == {"seed": 2**53 + 1, "list": [1, 2], "huge": 2**80}
    with pytest.raises(QueryError, match="None has no order"):
        store.runs("params.seed < None")
    with pytest.raises(QueryError):
        store.runs(sort="a/" * 2000 + "b")
    assert len(store.runs(r"match(name, '\w')")) == 1


def test_a_repeated_step_in_many_series_is_summed_up_right(store: Store) -> None:
    with store.start_run("wide") as run:
        for step in [*range(500), 3]:
            run.log_metrics({f"m{number}": float(step) for number in range(40)}, step=step)
    store.reindex()
    assert {series.count for series in store.run("wide").metrics.values()} == {500}


def test_arguments_of_the_wrong_kind_are_named_before_anything_is_made(store: Store) -> None:
    with pytest.raises(TypeError, match=r"tags is \['a'\]: write a mapping"):
        store.start_run(tags=["a"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"params is \[1\]"):
        store.start_run(params=[1])  # type: ignore[arg-type]
    assert not store.exists
    with store.start_run("") as run, pytest.raises(TypeError, match="metrics is 'a': write a mapping"):
        run.log_metrics("a", 1)  # type: ignore[arg-type]
    assert store.runs()[0].name != ""
    with pytest.raises(KeyError, match="no metric 'los'"):
        _ = store.runs()[0].metrics["los"]
    with pytest.raises(ValueError, match="limit is -1"):
        store.runs(limit=-1)


def test_a_run_that_died_before_its_environment_was_known_says_so(store: Store, python: Python) -> None:
    python("""
        import os, threading, runlore
        threading.Thread.start = lambda self: None
        runlore.start_run("early")
        os.kill(os.getpid(), 9)
    """).wait()
    assert store.run("early").missing == [
        {"what": "environment", "why": "the process ended before it was known"},
    ]  # fmt: skip


def test_what_follows_a_finished_run_keeps_its_experiment(store: Store) -> None:
    store.start_run("first", experiment="sweep").finish()
    store.start_run("second", resume="first").finish()
    assert store.run("second").experiment == "sweep"


def test_a_warning_points_to_the_code_that_called_us(store: Store) -> None:
    with store.start_run() as run, pytest.warns(RunloreWarning) as caught:
        run.log_metrics({"loss": "none"})
    assert [item.filename for item in caught] == [__file__]
