"""Checkpoints: folders with roles, those that are removed, going on from one; models saved afterwards."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import runlore
from runlore import Store
from runlore.provenance.origins import which_run
from runlore_transformers import RunloreCallback
from tests.process import Process
from tests.transformers.models import ROOT, SAVING, At, Rows, only, saved, trainer

Python = Callable[..., Process]


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.shows("transformers", "checkpoints")
@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_three_records_one_removed_and_the_best_one_known(store: Store, tmp_path: Path, how: str) -> None:
    with runlore.autolog("transformers"):
        made = trainer(
            tmp_path, *([RunloreCallback()] if how == "callback" else []), **SAVING, save_total_limit=2,
            metric_for_best_model="loss", load_best_model_at_end=True,
        )  # fmt: skip
        made.train()
    run = only(store)
    found = saved(run)
    assert [(item.name, item.step, item.epoch) for item in found] == [
        ("checkpoint-2", 2, pytest.approx(1 / 3)), ("checkpoint-4", 4, pytest.approx(2 / 3)), ("checkpoint-6", 6, 1.0),
    ]  # fmt: skip
    assert sorted(item.present for item in found) == [False, True, True]
    assert [item.present for item in found] == [Path(item.path).exists() for item in found]
    (best,) = [item for item in found if "best" in item.roles]
    assert best.path == made.state.best_model_checkpoint
    assert (best.monitor, best.value) == ("eval_loss", made.state.best_metric)
    losses = dict(zip(run.metrics["eval_loss"].steps.tolist(), run.metrics["eval_loss"].values.tolist(), strict=True))
    assert [item.value for item in found] == [losses[item.step] for item in found]
    assert found[-1].roles[0] == "last"


def test_a_checkpoint_is_one_artifact_of_many_files_restored_whole(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    trainer(folder, RunloreCallback(), **SAVING).train()
    last = only(store).artifact("last")
    assert last.is_folder
    before = content(folder / "checkpoint-6")
    assert {"config.json", "model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json"} <= set(before)
    restored = last.restore(tmp_path / "restored")
    assert content(restored) == before
    again = transformers.BertForSequenceClassification.from_pretrained(restored)
    assert all(torch.isfinite(item).all() for item in again.parameters())


def test_files_that_are_alike_are_kept_once(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_CHECKPOINTS", "all")
    trainer(tmp_path / "out", RunloreCallback(), **SAVING).train()
    run = only(store)
    found = saved(run)
    assert [item.stored for item in found] == [True, True, True]
    for name in ("config.json", "training_args.bin"):
        assert len({content(Path(item.path))[name] for item in found}) == 1
    blobs = [path for path in (store.root / "blobs").rglob("*") if path.is_file()]
    every = {data for item in found for data in content(Path(item.path)).values()}
    assert len({path.read_bytes() for path in blobs}) == len(blobs)  # no content twice
    assert every <= {path.read_bytes() for path in blobs}


def test_with_one_checkpoint_allowed_the_older_goes_at_the_end(store: Store, tmp_path: Path) -> None:
    made = trainer(
        tmp_path, RunloreCallback(), **SAVING, save_total_limit=1, metric_for_best_model="loss",
        load_best_model_at_end=True, greater_is_better=True,
    )  # fmt: skip
    made.train()
    found = saved(only(store))
    assert [item.present for item in found] == [Path(item.path).exists() for item in found]


def test_a_deleted_output_folder_costs_what_it_costs_without_us(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    made = trainer(
        folder, RunloreCallback(), At(3, lambda: shutil.rmtree(folder)), save_strategy="steps", save_steps=2
    )  # fmt: skip
    made.train()
    run = only(store)
    assert run.status == "finished"
    assert {item.name: item.present for item in run.artifacts if item.kind == "checkpoint"} == {
        "checkpoint-2": False, "checkpoint-4": True, "checkpoint-6": True,
    }  # fmt: skip


# Models saved after the training


def test_a_model_saved_behind_the_training_is_of_its_run(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path / "out", RunloreCallback(), **SAVING)
    made.train()
    made.save_model(tmp_path / "final")
    run = only(store)
    (saved,) = [item for item in run.artifacts if item.kind == "model"]
    assert (saved.name, saved.step, saved.stored) == ("final", 6, True)
    assert content(saved.restore(tmp_path / "restored")) == content(tmp_path / "final")
    for place in (tmp_path / "final", tmp_path / "final" / "model.safetensors"):
        assert run.id in [origin.run for origin in which_run(store, place).found]


def test_what_else_lies_in_the_folder_is_no_model(store: Store, tmp_path: Path) -> None:
    """Every file in the folder was added to the run, the user's own, too."""
    (tmp_path / "diary.txt").write_text("private")
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    made.save_model()
    (saved,) = [item for item in only(store).artifacts if item.kind == "model"]
    assert "model.safetensors" in {member.path for member in saved.members}
    assert "diary.txt" not in {member.path for member in saved.members}


# Going on


KILLED = """
import sys, time
from pathlib import Path
from runlore_transformers import RunloreCallback
import runlore
from tests.transformers.models import At, trainer

folder, how, ending = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
callbacks = [RunloreCallback()] if how == "callback" else []
if how == "autolog":
    runlore.autolog()

def wait():
    print("here", flush=True)
    time.sleep(60)

if ending == "wait":
    callbacks.append(At(5, wait))
made = trainer(folder, *callbacks, max_steps=8, save_strategy="steps", save_steps=2, save_total_limit=2)
made.train(resume_from_checkpoint=ending != "wait")
"""


@pytest.mark.shows("transformers", "resume as lineage")
@pytest.mark.parametrize("how", [pytest.param("callback", marks=pytest.mark.stress), "autolog"])
def test_a_killed_training_goes_on_as_the_same_run(store: Store, tmp_path: Path, warm_python: Python, how: str) -> None:
    killed = warm_python(KILLED, str(tmp_path / "out"), how, "wait", PYTHONPATH=ROOT)
    assert killed.line() == "here"
    assert only(store).status == "running"
    killed.kill()
    assert only(store).status == "crashed"
    warm_python(KILLED, str(tmp_path / "out"), how, "resume", PYTHONPATH=ROOT).succeed()
    run = only(store)
    assert (run.status, [segment.cut for segment in run.segments]) == ("finished", [None, 4])
    assert run.metrics["loss"].steps.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [item.step for item in saved(run)] == [2, 4, 6, 8]


def test_a_finished_training_goes_on_as_a_linked_run(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path, RunloreCallback(), **SAVING).train()
    first = only(store)
    trainer(tmp_path, RunloreCallback(), **SAVING, max_steps=8).train(resume_from_checkpoint=True)
    second = store.runs()[0]
    assert second.links == [{"kind": "resumed_from", "run": first.id, "step": 6}]
    assert second.metrics["loss"].steps.tolist() == [7, 8]


def test_going_on_from_ones_own_run_is_one_link(store: Store, tmp_path: Path) -> None:
    """A run that was resumed from and is the Trainer's last one, too, was linked twice."""
    made = trainer(tmp_path, RunloreCallback(), save_strategy="steps", save_steps=3)
    made.train()
    made.args.max_steps = 8
    made.train(resume_from_checkpoint=True)
    assert [link["kind"] for link in store.runs()[0].links] == ["resumed_from"]


def test_a_wrong_checkpoint_is_the_same_error_and_a_failed_run(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Can't find a valid checkpoint"):
        trainer(tmp_path, RunloreCallback()).train(resume_from_checkpoint=str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="No valid checkpoint"):
        trainer(tmp_path, RunloreCallback()).train(resume_from_checkpoint=True)
    assert [run.status for run in store.runs()] == ["failed"] * 2


class Exports(transformers.TrainerCallback):
    """Saves the model by a Trainer of its own at the end, as callbacks of other trackers do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        transformers.Trainer(args=args, model=model, eval_dataset=Rows(2)).save_model(str(self.folder))


def test_a_trainer_that_a_callback_makes_to_save_the_model_is_a_part_of_the_training(
    store: Store, tmp_path: Path
) -> None:
    made = trainer(tmp_path / "a", Exports(tmp_path / "exported"), RunloreCallback(), **SAVING)
    made.train()
    run = only(store)
    assert (run.status, (tmp_path / "exported" / "model.safetensors").is_file()) == ("finished", True)
    assert [item.name for item in run.artifacts if item.kind == "model"] == []


def test_the_best_model_is_the_one_that_is_kept_and_saved(store: Store, tmp_path: Path) -> None:
    """Other trackers keep the last one, although the best one is loaded at the end."""
    made = trainer(
        tmp_path / "a", RunloreCallback(), **SAVING, load_best_model_at_end=True, metric_for_best_model="score",
        save_total_limit=1,
    )  # fmt: skip
    scores = iter([0.1, 0.9, 0.3])
    made.compute_metrics = lambda _: {"score": next(scores)}
    made.train()
    made.save_model(str(tmp_path / "final"))
    run = only(store)
    (kept,) = [item for item in run.artifacts if "best" in item.roles]
    (final,) = [item for item in run.artifacts if item.kind == "model"]
    assert (kept.step, kept.stored, final.step) == (4, True, 4)
    weights = [
        next(member.sha256 for member in item.members if member.path.endswith("model.safetensors"))
        for item in (kept, final)
    ]
    assert weights[0] == weights[1]
