"""Writing runs: what is logged is what is read, live and sealed, across writers and processes."""

import math
import os
import random
import signal
import threading
import time
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch

import runlore
from runlore import RunloreWarning, Store
from tests.process import Process

Python = Callable[..., Process]


def logs(store: Store) -> list[Path]:
    return sorted(store.root.rglob("*.log"))


def sealed(store: Store) -> list[Path]:
    return sorted(store.root.rglob("*.run"))


def test_a_growing_log_and_its_sealed_file_tell_the_same(store: Store) -> None:
    run = store.start_run("both", params={"lr": 0.1})
    for step in range(300):
        run.log_metrics({"loss": 1 / (step + 1), "acc": step / 300}, step=step, epoch=step / 100)
        if step % 100 == 0:
            run.log_metrics({"val_loss": 0.5}, step=step, split="val")
    live = store.run("both")
    before = {key: (series.steps.tolist(), series.values.tolist(), series.times.tolist(), series.epochs.tolist())
              for key, series in live.metrics.items()}  # fmt: skip
    assert live.status == "running"
    assert len(logs(store)) == 1
    run.finish()
    assert (len(logs(store)), len(sealed(store))) == (0, 1)
    done = store.run("both")
    after = {key: (series.steps.tolist(), series.values.tolist(), series.times.tolist(), series.epochs.tolist())
             for key, series in done.metrics.items() if key != "val_loss"}  # fmt: skip
    assert after == {key: value for key, value in before.items() if key != "val_loss"}
    assert done.metrics["val_loss"].steps.tolist() == [0, 100, 200]
    assert np.isnan(done.metrics["val_loss"].epochs).all()
    assert done.status == "finished"


def test_every_call_is_readable_at_once(store: Store) -> None:
    run = store.start_run("live")
    for step in range(5):
        run.log_metrics({"loss": float(step)})
        assert store.run("live").metrics["loss"].values.tolist() == [float(i) for i in range(step + 1)]
    run.finish()


def test_keys_carry_their_split(store: Store) -> None:
    with store.start_run("splits") as run:
        run.log_metrics({"loss": 1.0}, split="train")
        run.log_metrics({"loss": 2.0, "val_acc": 0.5, "val/f1": 0.1}, split="val")
        run.log_metrics({"accuracy": 0.9}, split="test")
    metrics = store.run("splits").metrics
    assert {key: series.split for key, series in metrics.items()} == {
        "loss": "train", "val/loss": "val", "val_acc": "val", "val/f1": "val", "test/accuracy": "test",
    }  # fmt: skip


def test_a_missing_step_goes_on_behind_the_keys_highest(store: Store) -> None:
    with store.start_run("steps") as run:
        run.log_metrics({"a": 1.0, "b": 1.0})
        run.log_metrics({"a": 2.0}, step=10)
        run.log_metrics({"a": 3.0, "b": 3.0})
        run.log_metrics({"b": 4.0})
    metrics = store.run("steps").metrics
    assert metrics["a"].steps.tolist() == [0, 10, 11]
    assert metrics["b"].steps.tolist() == [0, 1, 2]
    assert metrics["b"].values.tolist() == [1.0, 3.0, 4.0]


def test_a_later_value_supersedes_in_series_and_tally(store: Store) -> None:
    with store.start_run("twice") as run:
        run.log_metrics({"loss": 100.0}, step=1)
        run.log_metrics({"loss": 2.0}, step=2)
        run.log_metrics({"loss": 5.0, "acc": 0.1}, step=1)
    loss = store.run("twice").metrics["loss"]
    assert (loss.steps.tolist(), loss.values.tolist()) == ([1, 2], [5.0, 2.0])
    assert (loss.count, loss.min, loss.max, loss.last, loss.last_step) == (2, 2.0, 5.0, 2.0, 2)


def test_values_that_are_no_finite_numbers_come_back_as_themselves(store: Store) -> None:
    with store.start_run("odd") as run:
        for value in (1.0, math.nan, math.inf, -math.inf):
            run.log_metrics({"x": value})
        run.log_metrics({"y": math.nan})
    metrics = store.run("odd").metrics
    assert np.array_equal(metrics["x"].values, [1.0, math.nan, math.inf, -math.inf], equal_nan=True)
    assert (metrics["x"].min, metrics["x"].max) == (-math.inf, math.inf)
    assert (metrics["y"].min, metrics["y"].max, math.isnan(metrics["y"].last)) == (None, None, True)


def test_numbers_of_every_kind_are_taken(store: Store) -> None:
    numbers = [1, True, np.float32(0.5), np.int64(3), np.array(4.0), np.array([5.0]), Decimal("0.25"),
               torch.tensor(2.0), torch.tensor([7.0], requires_grad=True)]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with store.start_run("kinds") as run:
            for number in numbers:
                run.log_metrics({"x": number})
    assert store.run("kinds").metrics["x"].values.tolist() == [1, 1, 0.5, 3, 4, 5, 0.25, 2, 7]


@pytest.mark.parametrize("bad", ["0.5", None, [1.0], 1j, np.zeros(3), object()])
def test_what_is_no_number_is_named_once_and_costs_nothing_else(store: Store, bad: object) -> None:
    with store.start_run("bad") as run, pytest.warns(RunloreWarning, match="metric 'x' is") as caught:
        for _ in range(3):
            run.log_metrics({"good": 1.0, "x": bad})
    assert len(caught) == 1
    metrics = store.run("bad").metrics
    assert list(metrics) == ["good"]
    assert metrics["good"].count == 3


@pytest.mark.parametrize("step", ["7", 1.5, 2**63])
def test_a_step_that_is_no_whole_number_is_named_and_the_point_kept(store: Store, step: object) -> None:
    with store.start_run("bad") as run, pytest.warns(RunloreWarning, match="is not a whole number"):
        run.log_metrics({"x": 1.0}, step=step)  # type: ignore[arg-type]
    assert store.run("bad").metrics["x"].steps.tolist() == [0]


def test_threads_share_a_run(store: Store) -> None:
    def work(name: str) -> None:
        for step in range(500):
            run.log_metrics({name: float(step)}, step=step)

    with store.start_run("threads") as run:
        threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    metrics = store.run("threads").metrics
    assert {key: series.steps.tolist() for key, series in metrics.items()} == {
        f"t{number}": list(range(500)) for number in range(4)
    }


def test_a_forked_child_writes_a_file_of_its_own(store: Store) -> None:
    run = store.start_run("forked")
    run.log_metrics({"parent": 1.0})
    child = os.fork()
    if child == 0:
        run.log_metrics({"child": 2.0})
        run.finish()
        os._exit(0)
    os.waitpid(child, 0)
    assert store.run("forked").status == "running"
    run.log_metrics({"parent": 3.0})
    run.finish()
    found = store.run("forked")
    assert found.status == "finished"
    assert found.metrics["child"].values.tolist() == [2.0]
    assert found.metrics["parent"].values.tolist() == [1.0, 3.0]


def test_an_orphan_that_outlives_its_parent_does_not_keep_the_run_alive(store: Store, python: Python) -> None:
    process = python("""
        import os, time, runlore
        run = runlore.start_run("orphaned")
        run.log_metrics({"x": 1.0})
        orphan = os.fork()
        if orphan == 0:
            time.sleep(60)
            os._exit(0)
        print(orphan, flush=True)
        time.sleep(60)
    """)
    orphan = int(process.line())
    assert store.run("orphaned").status == "running"
    process.end()
    assert store.run("orphaned").status == "crashed"
    os.kill(orphan, signal.SIGKILL)


KILLED = """
    import sys, runlore
    run = runlore.start_run("killed")
    print("ready", flush=True)
    for step in range(10_000_000):
        run.log_metrics({"loss": step * 0.5, "acc": 1.0}, step=step)
        sys.stdout.write(f"{step}\\n")
        sys.stdout.flush()
"""


def test_kill_9_while_logging_loses_nothing_that_returned(store: Store, python: Python) -> None:
    chance = random.Random(0)
    for number in range(25):
        process = python(KILLED)
        process.line()
        for _ in range(chance.randrange(200)):
            last = process.line()
        process.kill()
        rest = process.out.splitlines()
        done = int(rest[-1] if rest else last)
        run = store.runs()[0]
        assert run.status == "crashed", number
        steps = run.metrics["loss"].steps
        assert steps.tolist() == list(range(len(steps)))
        assert len(steps) in (done + 1, done + 2)  # the last may have returned without its line
        assert (run.metrics["loss"].values == steps * 0.5).all()
    assert len(store.runs("status == 'crashed'")) == 25


FINISHING = """
    import sys, runlore
    run = runlore.start_run("finishing")
    for step in range(3_000):
        run.log_metrics({"loss": step * 0.5, "acc": 1.0}, step=step)
    print("finishing", flush=True)
    run.finish()
    print("done", flush=True)
"""


def test_kill_9_while_finishing_loses_nothing(store: Store, python: Python) -> None:
    chance = random.Random(1)
    for _ in range(25):
        process = python(FINISHING)
        process.line()
        time.sleep(chance.random() * 0.03)  # any moment of finish will do
        process.kill()
        run = store.runs()[0]
        assert run.status in ("crashed", "finished")
        assert run.status == "finished" or "done" not in process.out
        assert run.metrics["loss"].steps.tolist() == list(range(3_000))
    assert not logs(store)  # readers sealed what the dead left behind


def test_sixteen_processes_open_one_fresh_store_and_lose_nothing(store: Store, python: Python) -> None:
    script = """
        import sys, runlore
        with runlore.start_run(f"worker-{sys.argv[1]}", params={"number": int(sys.argv[1])}) as run:
            for step in range(200):
                run.log_metrics({"x": step * float(sys.argv[1])}, step=step)
            runlore.open_store().runs(f"params.number == {sys.argv[1]}")
    """
    for process in [python(script, str(number)) for number in range(16)]:
        process.succeed()
    runs = store.runs(sort="params.number")
    assert [run.params["number"] for run in runs] == list(range(16))
    for run in runs:
        assert run.status == "finished"
        assert run.metrics["x"].values.tolist() == [step * float(run.params["number"]) for step in range(200)]


def test_sigterm_ends_at_once_and_reads_interrupted(store: Store, python: Python) -> None:
    process = python("""
        import runlore
        import time
        run = runlore.start_run("told")
        print("ready", flush=True)
        time.sleep(60)
    """)
    process.line()
    assert process.kill(signal.SIGTERM) == -signal.SIGTERM
    for _ in range(2):  # before and after a reader sealed it
        run = store.run("told")
        assert run.status == "interrupted"
        assert run.error is not None
        assert run.error["type"] == "SIGTERM"
    store.reindex()
    assert store.run("told").status == "interrupted"


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("pass", "finished"),
        ("raise ValueError('no')", "failed"),
        ("raise KeyboardInterrupt", "interrupted"),
        ("raise SystemExit(0)", "finished"),
        ("raise SystemExit(3)", "failed"),
    ],
)
def test_the_end_of_a_block_is_the_status_of_its_run(store: Store, ending: str, status: str) -> None:
    try:
        with store.start_run("block"):
            exec(ending)
    except BaseException as error:
        caught: BaseException | None = error
    else:
        caught = None
    run = store.run("block")
    assert run.status == status
    assert (run.error or {}).get("type") == (type(caught).__name__ if caught else None)


def test_an_uncaught_exception_fails_a_run_without_a_block(store: Store, python: Python) -> None:
    process = python("import runlore; runlore.start_run('loose'); 1 / 0")
    assert process.wait() == 1
    run = store.run("loose")
    assert run.status == "failed"
    assert run.error is not None
    assert "ZeroDivisionError" in run.error["traceback"]


def test_a_run_without_a_block_ends_with_python(store: Store, python: Python) -> None:
    python("import runlore; runlore.start_run('loose').log_metrics({'x': 1})").succeed()
    assert store.run("loose").status == "finished"


def test_a_resumed_run_goes_on_and_supersedes(store: Store, python: Python) -> None:
    process = python("""
        import runlore, time
        run = runlore.start_run("resumed", params={"lr": 1})
        for step in range(100):
            run.log_metrics({"loss": 1.0}, step=step)
        print("ready", flush=True)
        time.sleep(60)
    """)
    process.line()
    process.kill()
    first = store.run("resumed")
    with store.start_run(resume=first.id, at_step=49) as run:
        assert run.id == first.id
        run.log_metrics({"loss": 2.0})
        assert store.run("resumed").status == "running"
        for step in range(51, 80):
            run.log_metrics({"loss": 2.0}, step=step)
    done = store.run("resumed")
    assert done.status == "finished"
    assert done.params == {"lr": 1}
    assert done.metrics["loss"].steps.tolist() == list(range(80))
    assert done.metrics["loss"].values.tolist() == [1.0] * 50 + [2.0] * 30
    assert (done.metrics["loss"].count, done.metrics["loss"].last_step) == (80, 79)
    assert len(store.runs()) == 1


def test_a_finished_run_is_not_reopened_but_linked(store: Store) -> None:
    store.start_run("first").finish()
    with store.start_run("second", resume="first") as run:
        assert run.id != store.run("first").id
    assert store.run("second").links == [{"kind": "resumed_from", "run": store.run("first").id}]


def test_a_finished_run_takes_additions_and_keeps_its_end(store: Store) -> None:
    with store.start_run("done") as run:
        run.log_metrics({"loss": 1.0})
    before = store.run("done")
    before.set_tags({"good": "yes"})
    before.note("worth a second look")
    addition = before.attach()
    addition.log_metrics({"accuracy": 0.9}, split="test")
    addition.finish()
    after = store.run("done")
    assert (after.status, after.ended) == (before.status, before.ended)
    assert (after.tags, after.notes) == ({"good": "yes"}, ["worth a second look"])
    assert after.metrics["test/accuracy"].values.tolist() == [0.9]
    assert [run.id for run in store.runs("tags.good == 'yes'")] == [after.id]


def test_damage_costs_one_row_and_is_reported_once(store: Store) -> None:
    run = store.start_run("flipped")
    run.companions.await_captures()  # so that it is a row that stands in the middle
    for step in range(1000):
        run.log_metrics({"loss": float(step)}, step=step)
    (log,) = logs(store)
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0xFF
    log.write_bytes(data)
    with pytest.warns(RunloreWarning, match="bytes of its files are damaged") as caught:
        assert len(store.run("flipped").metrics["loss"].steps) == 999
        store.runs()
    assert len(caught) == 1
    assert "damaged" in store.run("flipped").missing[0]["why"]
    run.finish()
    assert logs(store), "a damaged log is never thrown away"


def test_a_sealed_file_with_a_broken_end_is_still_read(store: Store) -> None:
    with store.start_run("cut", params={"lr": 0.1}) as run:
        for step in range(100):
            run.log_metrics({"loss": float(step)}, step=step)
    (path,) = sealed(store)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(RunloreWarning, match="damaged"):
        store.reindex()
        found = store.run("cut")
        assert found.params == {"lr": 0.1}
        assert found.metrics["loss"].values.tolist() == [float(step) for step in range(100)]


def test_a_run_file_of_a_newer_format_is_named_and_the_rest_read(store: Store) -> None:
    store.start_run("old").finish()
    store.start_run("new").finish()
    path = next(path for path in sealed(store) if path.name.startswith(store.run("new").id))
    data = bytearray(path.read_bytes())
    data[6] = 9
    path.write_bytes(data)
    with pytest.warns(RunloreWarning, match=r"format 9.*upgrade"):
        store.reindex()
        assert len(store.runs("name == 'old'")) == 1


def test_memory_stays_bounded_whatever_the_length(store: Store, python: Python) -> None:
    process = python("""
        import resource, runlore
        run = runlore.start_run("long")
        for step in range(150_000):
            run.log_metrics({"loss": 0.5, "acc": 0.1}, step=step)
        middle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for step in range(150_000, 400_000):
            run.log_metrics({"loss": 0.5, "acc": 0.1}, step=step)
        run.finish()
        print(middle, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """)
    middle, end = map(int, process.succeed().split())
    assert end - middle < 2_000
    assert store.run("long").metrics["loss"].count == 400_000


def test_logging_after_the_end_is_reported_once(store: Store) -> None:
    run = store.start_run("over")
    run.finish()
    with pytest.warns(RunloreWarning, match="is closed") as caught:
        for _ in range(3):
            run.log_metrics({"x": 1.0})
    assert len(caught) == 1


def test_start_says_one_line_and_a_setting_silences_it(python: Python) -> None:
    loud = python("import runlore; runlore.start_run('said').finish()", RUNLORE_QUIET="0")
    loud.succeed()
    assert loud.err.startswith("runlore: run said · runlore show ")
    quiet = python("import runlore; runlore.start_run('said').finish()", RUNLORE_QUIET="1")
    quiet.succeed()
    assert quiet.err == ""


def test_runlore_can_be_switched_off_whole(store: Store, python: Python) -> None:
    script = "import runlore; r = runlore.start_run('off'); r.log_metrics({'x': 1}); r.log_params({'a': 1}); r.finish()"
    quiet = python(script, RUNLORE_DISABLED="1", RUNLORE_QUIET="0")
    quiet.succeed()
    assert quiet.err == ""
    assert not store.root.exists()


def test_the_current_run_is_that_of_the_block(store: Store) -> None:
    with pytest.raises(runlore.RunloreError, match="no run is open"):
        runlore.log_metrics({"x": 1.0})
    with store.start_run("outer") as outer:
        with store.start_run("inner", parent=outer) as inner:
            assert runlore.current_run() is inner
            runlore.log_metrics({"x": 1.0})
            runlore.log_params({"a": 1})
            runlore.set_tags({"t": "v"})
        assert runlore.current_run() is outer
    assert runlore.current_run() is None
    found = store.run("inner")
    assert (found.metrics["x"].count, found.params, found.tags) == (1, {"a": 1}, {"t": "v"})
    assert found.parent == store.run("outer")
    assert list(store.run("outer").children) == [found]
