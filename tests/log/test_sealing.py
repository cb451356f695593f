"""Sealing a log: nothing is lost on the way, whatever is killed or damaged."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

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


FINISHING = """
    import sys, runlore
    run = runlore.start_run("finishing")
    for step in range(3_000):
        run.log_metrics({"loss": step * 0.5, "acc": 1.0}, step=step)
    print("finishing", flush=True)
    run.finish()
    print("done", flush=True)
"""


@pytest.mark.stress
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


def test_a_damaged_last_frame_is_never_thrown_away(store: Store, python: Python) -> None:
    """Sealing once took damage at the end for a frame that was cut short, and left it out."""
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
