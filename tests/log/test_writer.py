"""Writing a log: what is logged is what is read, from threads, forks and processes."""

import math
import os
import random
import threading
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runlore import RunloreWarning, Store
from runlore.log.reader import read_log, read_sealed
from runlore.log.writer import MAX_OVERLAPPING, LogWriter
from tests.process import Process

Python = Callable[..., Process]


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


@pytest.mark.parametrize("bad", ["0.5", None, ["a"], 1j, np.zeros(65), object()])
def test_what_is_no_number_is_named_once_and_costs_nothing_else(store: Store, bad: object) -> None:
    with store.start_run("bad") as run, pytest.warns(RunloreWarning, match="metric .x(.0)?. is") as caught:
        for _ in range(3):
            run.log_metrics({"good": 1.0, "x": bad})
    assert len(caught) == 1
    metrics = store.run("bad").metrics
    assert list(metrics) == ["good"]
    assert metrics["good"].count == 3


@pytest.mark.parametrize("step", [4096.0, np.float32(4096), np.int64(4096), torch.tensor(4096.0), Decimal(4096)])
def test_a_step_that_a_framework_made_another_number_is_that_step(store: Store, step: Any) -> None:
    with store.start_run("float") as run:
        run.log_metrics({"loss": 1.0}, step=step)
    assert store.run("float").metrics["loss"].steps.tolist() == [4096]


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


KILLED = """
    import sys, runlore
    run = runlore.start_run("killed")
    print("ready", flush=True)
    for step in range(10_000_000):
        run.log_metrics({"loss": step * 0.5, "acc": 1.0}, step=step)
        sys.stdout.write(f"{step}\\n")
        sys.stdout.flush()
"""


@pytest.mark.stress
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


@pytest.mark.stress
@pytest.mark.quiet
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


@pytest.mark.stress
@pytest.mark.quiet
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


def test_what_comes_after_the_end_goes_to_the_successor(tmp_path: Path) -> None:
    first, second = (LogWriter(tmp_path, name, {"type": "open", "mode": "start"}) for name in ("first", "second"))
    first.row({"loss": 1.0}, 7)
    second.continue_steps({"loss": 3})
    first.finish({"type": "end", "status": "interrupted"}, second)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first.row({"loss": 2.0})
        first.row({"loss": 3.0, "acc": 0.5}, 9)
        first.event({"type": "note", "text": "late"})
    content = read_log(second.path, 0)
    assert [list(points.step) for points in content.points({"loss"})] == [[4], [9]]
    assert [event["type"] for event in content.events] == ["open", "note"]
    assert read_sealed(tmp_path / "first.run", 0).tallies["loss"].count == 1
    second.finish(None)
    with pytest.warns(RunloreWarning, match=r"second\.log is closed"):
        first.row({"loss": 4.0})


def test_last_steps_can_be_asked_for_while_another_thread_logs(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "busy", {"type": "open", "mode": "start"})

    def work() -> None:
        for number in range(3_000):
            writer.row({f"key-{number}": 1.0}, number)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        assert all(f"key-{step}" == key for key, step in writer.last_steps().items() if step >= 0)
    thread.join()
    assert len(writer.last_steps()) == 3_000
    writer.finish(None)


def test_nested_metrics_get_dotted_keys_and_short_vectors_numbered_ones(store: Store) -> None:
    with store.start_run("nested") as run, pytest.warns(RunloreWarning, match=r"metric 'long'"):
        run.log_metrics(
            {"val": {"loss": 1.0, "per": {"a": 2.0}}, "auc": [0.5, 0.25], "grad": np.ones(3), "long": np.ones(65)}
        )
        run.log_metrics({"t": torch.ones(2, requires_grad=True)}, split="test")
    assert {key: value.last for key, value in store.run("nested").metrics.items()} == {
        "val.loss": 1.0, "val.per.a": 2.0, "auc.0": 0.5, "auc.1": 0.25, "grad.0": 1.0, "grad.1": 1.0, "grad.2": 1.0,
        "test/t.0": 1.0, "test/t.1": 1.0,
    }  # fmt: skip


def test_keys_that_are_equal_and_read_differently_are_two(store: Store) -> None:
    """The numbers of 0 and 1 once went to those of False and True."""
    with store.start_run("x") as run:
        calls: list[dict[Any, float]] = [{False: 1.0, True: 2.0}, {0: 3.0, 1: 4.0}, {1.0: 5.0}]
        for metrics in calls:
            run.log_metrics(metrics)
    found = store.run("x").metrics
    assert {key: found[key].values.tolist() for key in found} == {
        "False": [1.0], "True": [2.0], "0": [3.0], "1": [4.0], "1.0": [5.0],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metrics", "key"),
    [({1: 1.0, "1": 2.0}, "1"), ({"a": {"b": 1}, "a.b": 2.0}, "a.b"), ({"a.b": 1.0, "a": {"b": 2}}, "a.b")],
)
def test_a_metric_that_one_call_names_twice_is_told(store: Store, metrics: dict[Any, Any], key: str) -> None:
    with store.start_run("x") as run, pytest.warns(RunloreWarning, match=f"metric '{key}' is named twice in one call"):
        run.log_metrics(metrics)
    assert store.run("x").metrics[key].values.tolist() == [2.0]
    assert [item["what"] for item in store.run("x").missing] == [f"metric '{key}'"]


def test_keys_that_differ_from_call_to_call_have_few_key_sets(store: Store) -> None:
    """Each set was once defined, and compared with all others, and had blocks of its own."""
    draw = random.Random(0)
    names = [f"agent_{number}" for number in range(30)]
    expected: dict[str, list[tuple[int, float]]] = {}
    with store.start_run("agents") as run:
        for step in range(600):
            chosen = draw.sample(names, 12)
            run.log_metrics({name: float(step) for name in chosen}, step=step if step % 3 else None, epoch=0.5)
            for name in chosen:
                points = expected.setdefault(name, [])
                points.append((step if step % 3 else points[-1][0] + 1 if points else 0, float(step)))
    metrics = store.run("agents").metrics
    for name, points in expected.items():
        last = dict(points)
        assert metrics[name].steps.tolist() == sorted(last)
        assert metrics[name].values.tolist() == [last[step] for step in sorted(last)]
        assert set(metrics[name].epochs.tolist()) == {0.5}
    (content,) = store.run("agents").writers.contents
    assert content.chunks is not None
    assert len(content.chunks) <= MAX_OVERLAPPING + len(names) + 1


def test_odd_values_among_many_key_sets_cost_only_themselves(store: Store) -> None:
    with store.start_run("odd sets") as run:
        for number in range(2 * MAX_OVERLAPPING):
            run.log_metrics({"always": 1, f"of-{number}": 2.0}, step=number)
        with pytest.warns(RunloreWarning, match="'bad' is 'text'"):
            run.log_metrics({"always": np.float32(3.0), "bad": "text", "nested": {"a": 4}}, step=900)
        with pytest.warns(RunloreWarning, match="step 'x' is not a whole number"):
            run.log_metrics({"always": 5.0, "of-0": 6.0}, step="x")  # type: ignore[arg-type]  # what is tested
    metrics = store.run("odd sets").metrics
    assert (metrics["always"].count, metrics["always"].last_step, metrics["always"].last) == (258, 901, 5.0)
    assert (metrics["nested.a"].last, metrics["of-0"].values.tolist()) == (4.0, [2.0, 6.0])
