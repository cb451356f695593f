"""SIGKILL at any moment: whatever a call had returned for is there, once, in order; and the next reader seals it."""

import random
import signal

import pytest

from runlore import Store
from runlore.store.runs import RecordedRun
from tests.process import Process
from tests.stress.conftest import Begin
from tests.stress.trainings import TRAININGS

POINTS_AN_EPOCH = {"lightning": 4, "keras": 1, "transformers": 1}  # of each training's `LOSS`
LOSS = {"lightning": "train_loss_step", "keras": "loss", "transformers": "loss"}


def kill_after(process: Process, acknowledged: int) -> int:
    """Kill a process once it has told so much; return how much it had told when it died."""
    told = 0
    while told < acknowledged:
        line = process.line()
        told = int(line) if line.isdigit() else told
    assert process.kill() == -signal.SIGKILL
    rest = [int(line) for line in process.out.splitlines() if line.isdigit()]
    return rest[-1] if rest else told


def check_plain(store: Store, told: int) -> None:
    run = store.run("endless")
    assert run.status == "crashed"
    assert run.damaged_bytes == 0
    steps = run.metrics["loss"].steps.tolist()
    assert steps == list(range(len(steps)))
    assert told <= len(steps) <= told + 1
    assert run.metrics["loss"].values.tolist() == steps
    rounds = told // 50
    assert {f"param_{50 * number + 49}" for number in range(rounds)} <= run.params.keys()
    kept = [item.read_bytes() for item in run.artifacts if item.name == "kept.txt"]
    assert kept[:rounds] == [str(50 * number + 49).encode() for number in range(rounds)]
    children = {child.name: child.status for child in run.children}
    assert all(children[f"child-{50 * number + 49}"] == "finished" for number in range(rounds))


def check_framework(store: Store, training: str, told: int) -> None:
    runs = store.runs(sort="id")
    if training == "sklearn":
        assert [run.status for run in runs[:told]] == ["finished"] * told
        assert [run.params["C"] for run in runs[:told]] == [1.0 + number for number in range(told)]
        return
    run: RecordedRun = runs[0]
    assert (len(runs), run.status, run.damaged_bytes) == (1, "crashed", 0)
    series = run.metrics[LOSS[training]]
    steps = series.steps.tolist()
    assert steps == sorted(set(steps))
    assert len(steps) >= told * POINTS_AN_EPOCH[training]


def check(store: Store, training: str, told: int) -> None:
    if training == "plain":
        check_plain(store, told)
    else:
        check_framework(store, training, told)
    assert not list(store.root.glob("runs/*/*/*.log"))


@pytest.mark.stress
@pytest.mark.parametrize("training", TRAININGS)
def test_a_kill_loses_nothing_that_was_acknowledged(training: str, store: Store, begin: Begin) -> None:
    told = kill_after(begin(training, "endless.py"), 120 if training == "plain" else 2)
    check(store, training, told)


@pytest.mark.stress
@pytest.mark.long
@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("seed", range(10))
def test_no_kill_loses_anything_that_was_acknowledged(training: str, seed: int, store: Store, begin: Begin) -> None:
    most = 5_000 if training == "plain" else 60
    told = kill_after(begin(training, "endless.py"), random.Random(seed).randint(1, most))
    check(store, training, told)
