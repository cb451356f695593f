"""Checkpoints of a Trainer: folders with roles, rotation, going on after a kill, searches, models saved at the end."""

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
from tests.transformers.models import ROOT, At, Rows, model, only, trainer

Python = Callable[..., Process]

SAVING = {"save_strategy": "steps", "save_steps": 2, "eval_strategy": "steps", "eval_steps": 2}


def saved(run: Any) -> list[Any]:
    return sorted((item for item in run.artifacts if item.kind == "checkpoint"), key=lambda item: item.step)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Records (H3)


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


# Going on (H4)

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


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_a_killed_training_goes_on_as_the_same_run(store: Store, tmp_path: Path, python: Python, how: str) -> None:
    killed = python(KILLED, str(tmp_path / "out"), how, "wait", PYTHONPATH=ROOT)
    assert killed.line() == "here"
    assert only(store).status == "running"
    killed.kill()
    assert only(store).status == "crashed"
    python(KILLED, str(tmp_path / "out"), how, "resume", PYTHONPATH=ROOT).succeed()
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


def test_a_wrong_checkpoint_is_the_same_error_and_no_run(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Can't find a valid checkpoint"):
        trainer(tmp_path, RunloreCallback()).train(resume_from_checkpoint=str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="No valid checkpoint"):
        trainer(tmp_path, RunloreCallback()).train(resume_from_checkpoint=True)
    assert len(store.runs()) == 0


def test_a_model_loaded_from_a_checkpoint_is_linked_to_its_run(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path / "a", RunloreCallback(), **SAVING).train()
    first = only(store)
    loaded = transformers.BertForSequenceClassification.from_pretrained(tmp_path / "a" / "checkpoint-4")
    trainer(tmp_path / "b", RunloreCallback("tuned"), model=loaded).train()
    trainer(tmp_path / "c", RunloreCallback("judged"), model=loaded).evaluate()
    for name, kind in (("tuned", "started_from"), ("judged", "evaluates")):
        (link,) = store.run(name).links
        content = link.pop("sha256")
        assert link == {"kind": kind, "run": first.id, "step": 4}
        assert content in {item.sha256 for item in first.artifacts} | {
            member.sha256 for item in first.artifacts for member in item.members
        }


# Searches (H5)


def search(made: Any, rates: tuple[float, ...] = (0.25, 0.5), **settings: Any) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return made.hyperparameter_search(
        hp_space=lambda trial: {"learning_rate": trial.suggest_categorical("learning_rate", rates)},
        n_trials=2, backend="optuna", sampler=optuna.samplers.BruteForceSampler(seed=0), **settings,
    )  # fmt: skip


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_a_search_is_one_parent_with_a_child_for_each_trial(store: Store, tmp_path: Path, how: str) -> None:
    with runlore.autolog("transformers"):
        callbacks = [RunloreCallback("searching")] if how == "callback" else []
        made = trainer(tmp_path, *callbacks, model_init=model, **SAVING)
        best = search(made)
    (parent,) = store.runs("parent is None")
    children = list(parent.children)
    assert (parent.status, [child.status for child in children]) == ("finished", ["finished", "finished"])
    assert sorted(child.params["learning_rate"] for child in children) == [0.25, 0.5]
    assert [child.name for child in children] == ["trial-0", "trial-1"]
    for child in children:
        found = saved(child)
        assert [item.step for item in found] == [2, 4, 6]
        assert all(Path(item.path).is_dir() for item in found)
        assert child.links == []
    assert len({item.path for child in children for item in saved(child)}) == 6
    assert parent.params["best.learning_rate"] == best.hyperparameters["learning_rate"]
    assert parent.summary["best_objective"] == best.objective
    assert len(store.runs()) == 3


def test_a_search_that_fails_fails_its_trial_and_itself(store: Store, tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        search(trainer(tmp_path, RunloreCallback(), At(3, fail), model_init=model))
    assert [run.status for run in store.runs()] == ["failed", "failed"]


def test_a_pruned_trial_has_not_failed(store: Store, tmp_path: Path) -> None:
    import optuna

    class Always(optuna.pruners.BasePruner):  # type: ignore[misc]
        def prune(self, study: Any, trial: Any) -> bool:
            return bool(trial.number == 1)

    search(trainer(tmp_path, RunloreCallback(), model_init=model, **SAVING), pruner=Always())
    (parent,) = store.runs("parent is None")
    assert [(child.status, child.tags.get("stopped")) for child in parent.children] == [
        ("finished", None), ("finished", "pruned"),
    ]  # fmt: skip
    assert parent.status == "finished"


def test_data_is_described_in_checkpoints_runs_too(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path, RunloreCallback(), **SAVING).train()
    assert only(store).data["train"]["rows"] == len(Rows())
