"""Two processes on the CPU: one run, complete, whichever way they were started and however they end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from tests.lightning.models import ROOT
from tests.process import Process, Ranks

Python = Callable[..., Process]
Start = Callable[..., Process | Ranks]

# "two" are processes that a launcher has started; the others are strategies, by which Lightning starts the second one.
SCRIPTS = ["two", pytest.param("ddp", marks=pytest.mark.stress)]
CHILDREN = ["ddp_fork", pytest.param("ddp_spawn", marks=pytest.mark.stress)]
WAYS = [*SCRIPTS, *CHILDREN]

SCRIPT = """
import os, sys, time, warnings
warnings.simplefilter("ignore")
import runlore
from runlore_lightning import RunloreCallback
from tests.lightning.models import Tiny, checkpoint, data, pl, trainer

class Ranked(Tiny):
    def __init__(self, failing, how):
        super().__init__()
        self.failing, self.how = failing, how

    def training_step(self, batch, number):
        loss = super().training_step(batch, number)
        self.log("synced", loss, sync_dist=True)
        if self.global_rank == self.failing and self.global_step == 3:
            if self.how == "kill":
                os.kill(os.getpid(), 9)
            raise ValueError("on one rank")
        return loss

if __name__ == "__main__":
    strategy, failing, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    keep = checkpoint("ck", save_last=True, monitor="synced")
    made = trainer(RunloreCallback(), keep, max_epochs=2, enable_checkpointing=True, strategy=strategy, devices=2)
    if how == "joined":
        with runlore.start_run("mine"):
            made.fit(Ranked(failing, how), data())
    elif how == "twice":
        again = trainer(RunloreCallback("again"), max_epochs=1, strategy=strategy, devices=2)
        alone = trainer(RunloreCallback("alone"), max_epochs=1)
        with runlore.start_run("mine"):
            made.fit(Ranked(failing, how), data())
            again.fit(Ranked(failing, how), data())
            alone.fit(Tiny(), data())
    else:
        made.fit(Ranked(failing, how), data())
    print(f"parent {keep.best_model_path}", flush=True)
"""


@pytest.fixture
def start(tmp_path: Path, python: Python, warm_python: Python) -> Start:
    """Starts it in one of the WAYS, from a file, as children read it, too."""
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)

    def begin(way: str, failing: int = -1, how: str = "") -> Process | Ranks:
        arguments = ("ddp" if way == "two" else way, str(failing), how)
        if way == "two":
            return Ranks(warm_python, path, *arguments, PYTHONPATH=ROOT)
        return (warm_python if way == "ddp_fork" else python)(path, *arguments, PYTHONPATH=ROOT)

    return begin


@pytest.mark.shows("lightning", "processes")
@pytest.mark.parametrize("way", WAYS)
def test_two_processes_write_one_complete_run(store: Store, start: Start, way: str) -> None:
    printed = start(way).succeed()
    (run,) = store.runs()
    assert (run.status, len(run.segments)) == ("finished", 1)
    assert run.metrics["train_loss_step"].steps.tolist() == list(range(1, 11))  # two epochs of 5 batches
    assert run.metrics["synced"].steps.tolist() == list(range(1, 11))
    assert run.params["trainer.world_size"] == 2
    best = run.artifact("best")
    assert best.path == printed.split("parent ")[1].splitlines()[0]
    assert (best.stored, best.present) == (True, True)
    assert run.artifact("last").name == "last.ckpt"
    local = {item["what"] for item in run.missing if "sync_dist" in item["why"]}
    assert local == {"metric 'train_loss' of other ranks"}
    assert "python" in run.environment


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize("way", WAYS)
def test_a_failure_on_one_rank_fails_the_run(store: Store, start: Start, way: str, failing: int) -> None:
    process = start(way, failing)
    assert process.wait() != 0
    assert "ValueError: on one rank" in process.err
    (run,) = store.runs()
    assert run.status == "failed"
    assert run.error
    assert run.metrics["train_loss_step"].steps.tolist() == [1, 2, 3]
    if failing == 0:
        assert (run.error["type"], run.error["message"]) == ("ValueError", "on one rank")


@pytest.mark.parametrize("way", CHILDREN)
def test_a_killed_child_is_reported_by_its_parent(store: Store, start: Start, way: str) -> None:
    process = start(way, 0, "kill")
    assert process.wait() == 1
    (run,) = store.runs()
    assert run.status == "failed"
    assert run.error
    assert run.error["type"].endswith("ProcessExitedException")
    assert run.metrics["train_loss_step"].steps.tolist() == [1, 2, 3]


@pytest.mark.parametrize("way", CHILDREN)
def test_spawned_processes_join_the_users_run(store: Store, start: Start, way: str) -> None:
    start(way, -1, "joined").succeed()
    (run,) = store.runs()
    assert (run.name, run.status) == ("mine", "finished")
    assert run.metrics["synced"].count == 10


@pytest.mark.parametrize("way", CHILDREN)
def test_of_several_fits_in_the_users_run_the_first_joins_it(store: Store, start: Start, way: str) -> None:
    """The process of each fit knew of no other one, so that all joined, and their curves were mixed."""
    start(way, -1, "twice").succeed()
    mine = store.run("mine")
    assert mine.metrics["synced"].steps.tolist() == list(range(1, 11))
    assert [(child.name, child.status) for child in mine.children] == [("again", "finished"), ("alone", "finished")]
    assert mine.children[0].metrics["synced"].count == 5


@pytest.mark.parametrize("way", SCRIPTS)
def test_followers_of_a_script_start_no_run(store: Store, start: Start, way: str) -> None:
    start(way, -1, "joined").succeed()
    (run,) = store.runs()
    assert (run.name, run.status) == ("mine", "finished")
    assert run.metrics["synced"].count == 10
