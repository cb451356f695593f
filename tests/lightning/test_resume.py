"""Going on from a checkpoint: the same run if it was cut off, a linked one if it had finished."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from runlore import Store, guest
from runlore_lightning import RunloreCallback
from tests.lightning.models import ROOT, At, Tiny, checkpoint, data, fail, pl, trainer
from tests.process import Process

Python = Callable[..., Process]

SCRIPT = """
import os, sys, time, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from runlore_lightning import RunloreCallback
from tests.lightning.models import Tiny, checkpoint, data, pl, trainer

folder, epochs, ending = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

class Waiting(pl.Callback):
    def on_train_batch_start(self, trainer, module, batch, number):
        if trainer.global_step == 25 and ending == "wait":
            print("here", flush=True)
            time.sleep(60)

pl.seed_everything(0)
keep = checkpoint(folder, save_last=True, monitor="train_loss_epoch", save_top_k=1)
last = folder / "last.ckpt"
made = trainer(RunloreCallback(), Waiting(), keep, max_epochs=epochs, enable_checkpointing=True)
made.fit(Tiny(), data(), ckpt_path=last if last.exists() else None)
"""


def fit(folder: Path, *callbacks: Any, epochs: int = 3, ckpt_path: Any = None) -> None:
    keep = checkpoint(folder, save_last=True)
    made = trainer(RunloreCallback(), *callbacks, keep, max_epochs=epochs, enable_checkpointing=True)
    made.fit(Tiny(), data(), ckpt_path=ckpt_path)


@pytest.mark.shows("lightning", "resume as lineage")
def test_a_killed_fit_goes_on_as_the_same_run(store: Store, tmp_path: Path, warm_python: Python) -> None:
    folder = tmp_path / "ck"
    killed = warm_python(SCRIPT, str(folder), "4", "wait", PYTHONPATH=ROOT)
    assert killed.line() == "here"
    (run,) = store.runs()
    assert run.status == "running"
    assert killed.kill(signal.SIGKILL) == -signal.SIGKILL
    (run,) = store.runs()
    assert run.status == "crashed"
    assert run.metrics["train_loss_step"].steps.tolist() == list(range(1, 26))
    before = run.metrics["train_loss_step"].values.tolist()

    again = warm_python(SCRIPT, str(folder), "4", "go", PYTHONPATH=ROOT)
    again.succeed()
    (run,) = store.runs()
    assert (run.status, len(run.segments)) == ("finished", 2)
    assert run.metrics["train_loss_step"].steps.tolist() == list(range(1, 41))
    assert run.metrics["train_loss_step"].values.tolist()[:20] == before[:20]
    assert run.metrics["train_loss_epoch"].steps.tolist() == [10, 20, 30, 40]
    assert run.metrics["lr-SGD"].steps.tolist() == list(range(41))
    assert run.links == []
    present = {item.path for item in run.artifacts if item.kind == "checkpoint" and item.present}
    assert present == {str(path) for path in folder.iterdir()}


def test_the_run_reads_running_again_while_it_goes_on(store: Store, tmp_path: Path) -> None:
    seen = []

    class Looking(pl.Callback):  # type: ignore[misc,name-defined]
        def on_train_epoch_start(self, trainer: Any, *_: Any) -> None:
            seen.append(store.runs()[0].status)

    class Failing(pl.Callback):  # type: ignore[misc,name-defined]
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == 25:
                raise ValueError("in the midst")

    with pytest.raises(ValueError, match="in the midst"):
        fit(tmp_path / "ck", Failing())
    (run,) = store.runs()
    assert run.status == "failed"
    fit(tmp_path / "ck", Looking(), epochs=4, ckpt_path=tmp_path / "ck" / "last.ckpt")
    (run,) = store.runs()
    assert seen == ["running", "running"]
    assert (run.status, run.error) == ("finished", None)
    assert run.metrics["train_loss_step"].steps.tolist() == list(range(1, 41))


def test_a_finished_fit_is_followed_by_a_linked_run(store: Store, tmp_path: Path) -> None:
    fit(tmp_path / "ck", epochs=2)
    moved = tmp_path / "elsewhere.ckpt"
    moved.write_bytes((tmp_path / "ck" / "last.ckpt").read_bytes())  # found by its content
    fit(tmp_path / "new", epochs=3, ckpt_path=moved)
    second, first = store.runs()
    assert second.links == [{"kind": "resumed_from", "run": first.id, "step": 20}]
    assert first.metrics["train_loss_step"].count == 20
    assert second.metrics["train_loss_step"].steps.tolist() == list(range(21, 31))


def test_a_checkpoint_that_no_run_knows_begins_one(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNLORE_DISABLED", "lightning")
    fit(tmp_path / "ck", epochs=1)
    monkeypatch.delenv("RUNLORE_DISABLED")
    assert len(store.runs()) == 0
    fit(tmp_path / "new", epochs=2, ckpt_path=tmp_path / "ck" / "last.ckpt")
    (run,) = store.runs()
    assert (run.links, run.metrics["train_loss_step"].count) == ([], 10)


def test_the_users_checkpoint_holds_nothing_of_ours(store: Store, tmp_path: Path) -> None:

    def content(name: str, *callbacks: Any) -> Any:
        pl.seed_everything(0)
        keep = checkpoint(tmp_path / name)
        trainer(*callbacks, keep, max_epochs=1, enable_checkpointing=True).fit(Tiny(), data())
        found = torch.load(keep.best_model_path, weights_only=True)
        found["callbacks"] = {key.partition("{")[0]: sorted(value) for key, value in found["callbacks"].items()}
        return found

    plain, recorded = content("plain"), content("recorded", RunloreCallback())
    assert plain.keys() == recorded.keys()
    assert plain["callbacks"] == recorded["callbacks"]
    assert all(torch.equal(plain["state_dict"][key], recorded["state_dict"][key]) for key in plain["state_dict"])
    assert not guest.in_fit()


def test_going_on_from_a_file_that_another_run_logged_goes_on_with_its_maker(store: Store, tmp_path: Path) -> None:
    """The run that had only read the checkpoint was gone on with."""

    def fit(*callbacks: Any, **settings: Any) -> None:
        made = trainer(
            RunloreCallback(), checkpoint(tmp_path / "ck", save_last=True), *callbacks, enable_checkpointing=True
        )
        made.fit(Tiny(), data(), **settings)

    with pytest.raises(ValueError, match="mine"):
        fit(At("on_train_batch_end", fail, 25))
    with store.start_run("reader") as run:
        run.log_artifact(tmp_path / "ck" / "last.ckpt", kind="input-checkpoint")
    (tmp_path / "copy.ckpt").write_bytes((tmp_path / "ck" / "last.ckpt").read_bytes())
    fit(ckpt_path=tmp_path / "copy.ckpt")
    reader, maker = store.runs()
    assert (reader.name, len(maker.segments), maker.status) == ("reader", 2, "finished")
