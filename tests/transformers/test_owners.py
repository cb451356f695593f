"""The training that the weights of a Trainer come from, and the run that wrote a loaded model."""

import copy
import gc
import os
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import Trainer

import runlore
from runlore import Store
from runlore_transformers import RunloreCallback
from runlore_transformers._owners import owners
from runlore_transformers._weights import holds
from runlore_transformers._wrapping import wrapped
from tests.process import Process
from tests.transformers.models import ROOT, SAVING, Rows, model, only, trainer


def test_a_second_training_is_a_second_run(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    made.train()
    second, first = store.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]
    assert [run.metrics["loss"].count for run in (first, second)] == [6, 6]


class Keeping(transformers.TrainerCallback):
    """Keeps the weights of an evaluation by hand, and puts them back as the training ends, or leaves that."""

    def __init__(self, *, sets: bool) -> None:
        self.sets = sets

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step == 2:
            self.kept = copy.deepcopy(model.state_dict())

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if self.sets:
            model.load_state_dict(self.kept)


@pytest.mark.parametrize("sets", [True, False])
def test_weights_that_were_kept_by_hand_have_the_step_of_their_evaluation(
    store: Store, tmp_path: Path, sets: bool
) -> None:
    """What was evaluated with them behind the training was at its last step, or in a run of its own."""
    keeping = Keeping(sets=sets)
    made = trainer(tmp_path, RunloreCallback(), keeping, eval_strategy="steps", eval_steps=2)
    made.train()
    made.model.load_state_dict(keeping.kept)
    made.evaluate(Rows(10))
    made.save_model(tmp_path / "best")
    run = only(store)
    (other,) = (series for name, series in run.metrics.items() if name.startswith("eval_loss/"))
    assert (other.steps.tolist(), other.epochs.tolist()) == ([2], [run.metrics["eval_loss"].epochs[0]])
    assert {item.step for item in run.artifacts if item.kind == "model"} == {2}


def test_two_trainers_alive_at_once_have_their_own_runs(store: Store, tmp_path: Path) -> None:
    shared = RunloreCallback()
    first, second = trainer(tmp_path / "a", shared, learning_rate=0.5), trainer(tmp_path / "b", shared)
    second.train()
    first.train()
    first.evaluate()
    second.evaluate()
    runs = store.runs(sort="id")
    assert [run.params["learning_rate"] for run in runs] == [0.001, 0.5]
    assert [run.metrics["eval_loss"].count for run in runs] == [1, 1]


def test_weights_that_were_trained_on_are_no_runs(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training that is not recorded left the run before as the one that later numbers were added to."""
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    monkeypatch.setenv("RUNLORE_DISABLED", "transformers")
    made.train()
    monkeypatch.delenv("RUNLORE_DISABLED")
    made.evaluate()
    alone, trained = store.runs()
    assert alone.tags["purpose"] == "evaluation"
    assert "eval_loss" not in trained.metrics


class Equal(Trainer):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_a_trainer_need_not_be_hashable(store: Store, tmp_path: Path) -> None:
    """Trainings were kept in a mapping by Trainer, which failed for this one."""
    made = trainer(tmp_path, RunloreCallback(), cls=Equal)
    made.train()
    made.evaluate()
    assert only(store).metrics["eval_loss"].count == 1


def test_a_trainer_that_its_callback_holds_is_freed(store: Store, tmp_path: Path) -> None:
    """The training, kept as long as its Trainer lives, held the callback, which holds the Trainer."""
    ours = RunloreCallback()
    made = trainer(tmp_path, ours)
    ours.trainer = made  # type: ignore[attr-defined]
    made.train()
    seen = weakref.ref(made)
    del made, ours
    gc.collect()
    assert seen() is None


def test_a_forked_child_goes_on_with_its_parents_trainers(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    with warnings.catch_warnings(action="ignore"):  # a backend may warn of its threads
        child = os.fork()
    if child == 0:
        os._exit(0 if owners().of(made) is not None and wrapped().is_wanted("callback") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Loaded models


def test_a_model_loaded_from_a_checkpoint_is_linked_to_its_run(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path / "a", RunloreCallback(), **SAVING).train()
    first = only(store)
    loaded = transformers.BertForSequenceClassification.from_pretrained(tmp_path / "a" / "checkpoint-4")
    with runlore.start_run("judged"):
        trainer(tmp_path / "c", RunloreCallback(), model=loaded).evaluate()
    trainer(tmp_path / "b", RunloreCallback("tuned"), model=loaded).train()
    for name, kind in (("tuned", "started_from"), ("judged", "evaluates")):
        (link,) = store.run(name).links
        content = link.pop("sha256")
        assert link == {"kind": kind, "run": first.id, "step": 4}
        assert content in {item.sha256 for item in first.artifacts} | {
            member.sha256 for item in first.artifacts for member in item.members
        }


def test_a_look_at_an_origin_writes_nothing_there(store: Store, tmp_path: Path) -> None:
    """Looking up the run that wrote a model opened a log of additions in it."""
    made = trainer(tmp_path / "a", RunloreCallback(store=store), save_strategy="steps", save_steps=2)
    made.train()
    made.save_model(tmp_path / "final")
    first = only(store)
    for place in ("a/checkpoint-4", "final"):
        loaded = transformers.BertForSequenceClassification.from_pretrained(tmp_path / place)
        before = sorted(path.name for path in store.root.rglob(f"{first.id}*"))
        trainer(tmp_path / "b", RunloreCallback(store=store), model=loaded).train()
        assert sorted(path.name for path in store.root.rglob(f"{first.id}*")) == before
        (link,) = store.runs()[0].links
        assert (link["kind"], link["run"], link["step"]) == ("started_from", first.id, 4 if "4" in place else 6)


def load(folder: Path) -> Any:
    return transformers.BertForSequenceClassification.from_pretrained(folder)


def test_an_evaluation_of_a_loaded_checkpoint_is_added_to_the_run_that_wrote_it(
    store: Store, tmp_path: Path, warm_python: Callable[..., Process]
) -> None:
    """It was a run of its own; what was seen of the weights was the step only."""
    made = trainer(tmp_path / "a", RunloreCallback("first"), **SAVING)
    made.train()
    before = only(store).metrics["eval_loss"]
    other = trainer(tmp_path / "b", RunloreCallback("second"), model=load(tmp_path / "a" / "checkpoint-4"))
    told = [other.evaluate()["eval_loss"], other.predict(Rows(5)).metrics["test_loss"]]
    run = only(store)
    assert told[0] == before.values[1]
    assert run.metrics["eval_loss"].steps.tolist() == [2, 4, 6]
    assert run.metrics["eval_loss"].epochs.tolist() == before.epochs.tolist()
    assert (run.metrics["test_loss"].steps[0], run.metrics["test_loss"].last) == (4, told[1])
    assert run.metrics["test_loss"].epochs.tolist() == [before.epochs[1]]
    script = f"""
    import sys
    from pathlib import Path
    from runlore_transformers import RunloreCallback
    sys.path.insert(0, {ROOT!r})
    from tests.transformers.models import Rows, trainer
    from tests.transformers.test_owners import load
    folder = Path({str(tmp_path)!r})
    noisy = Rows(7)
    trainer(folder / "c", RunloreCallback(), model=load(folder / "a" / "checkpoint-2")).evaluate(noisy)
    """
    warm_python(script).succeed()
    run = only(store)
    assert run.metrics["eval_loss"].count == 3
    assert [series.steps.tolist() for key, series in run.metrics.items() if key.startswith("eval_loss/")] == [[2]]


def test_weights_that_are_not_those_of_the_file_are_not_its_runs(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path / "a", RunloreCallback("first"), **SAVING).train()
    folder = tmp_path / "a" / "checkpoint-4"
    changed, headless = load(folder), transformers.BertForTokenClassification.from_pretrained(folder)
    with torch.no_grad():
        changed.classifier.bias.add_(1)
    assert [holds(folder, model) for model in (load(folder), changed, headless)] == [True, False, False]
    trainer(tmp_path / "b", RunloreCallback("changed"), model=changed).evaluate()
    assert store.run("changed").tags["purpose"] == "evaluation"
    assert "eval_loss" in store.run("changed").metrics
    assert store.run("first").metrics["eval_loss"].count == 3


def test_a_model_of_another_trainer_is_known(store: Store, tmp_path: Path) -> None:
    """An evaluation by another Trainer was a run of its own."""
    first = trainer(tmp_path / "a", RunloreCallback())
    first.train()
    second = trainer(tmp_path / "b", RunloreCallback(), model=first.model)
    told = second.evaluate()
    run = only(store)
    assert (run.metrics["eval_loss"].steps.tolist(), run.metrics["eval_loss"].last) == ([6], told["eval_loss"])
    assert run.metrics["eval_loss"].epochs.tolist() == [1.0]
    second.train()
    assert store.runs()[0].links == [{"kind": "refit_of", "run": run.id}]
    first.evaluate()
    assert [run.metrics["eval_loss"].count for run in store.runs()] == [1, 1]


def test_adapters_know_the_run_that_wrote_them(store: Store, tmp_path: Path) -> None:
    """Only the configuration of a model was asked, and that of adapters tells no folder."""
    from peft import LoraConfig, PeftModel, get_peft_model

    adapted = get_peft_model(model(), LoraConfig(r=2, target_modules=["query"]))
    trainer(tmp_path / "a", RunloreCallback("first"), model=adapted, **SAVING).train()
    first = store.run("first")
    folder = tmp_path / "a" / "checkpoint-2"
    loaded = PeftModel.from_pretrained(model(), folder, is_trainable=True)
    made = trainer(tmp_path / "b", RunloreCallback("second"), model=loaded)
    told = made.evaluate()
    assert [run.name for run in store.runs()] == ["first"]
    assert first.metrics["eval_loss"].values[0] == told["eval_loss"]
    assert store.run("first").metrics["eval_loss"].steps.tolist() == [2, 4, 6]
    made.train()
    (link,) = store.run("second").links
    assert (link["kind"], link["run"], link["step"]) == ("started_from", first.id, 2)


def test_a_copy_of_a_model_belongs_to_the_run_that_made_its_weights(store: Store, tmp_path: Path) -> None:
    """Its evaluation was a run of its own, at step 0, and its training was linked to nothing."""
    first = trainer(tmp_path / "a", RunloreCallback("first"))
    first.train()
    second = trainer(tmp_path / "b", RunloreCallback("second"), model=copy.deepcopy(first.model))
    second.evaluate()
    second.train()
    assert len(store.runs()) == 2
    assert store.run("first").metrics["eval_loss"].steps.tolist() == [6]
    assert store.run("second").links == [{"kind": "started_from", "run": store.run("first").id, "step": 6}]


def test_a_baseline_is_of_the_weights_that_were_evaluated(store: Store, tmp_path: Path) -> None:
    """Weights that were put into one model in turn replaced each other's points, and stayed the baseline of any fit."""
    made = trainer(tmp_path, RunloreCallback())
    made.evaluate()
    made.model.load_state_dict({name: value * 2 for name, value in made.model.state_dict().items()})
    made.evaluate()
    made.train()
    trained, first = store.runs()
    assert (first.tags["purpose"], first.metrics["eval_loss"].steps.tolist()) == ("evaluation", [0])
    assert trained.metrics["eval_loss"].steps.tolist() == [0]
    assert trained.metrics["eval_loss"].last != first.metrics["eval_loss"].last
    assert "loss" in trained.metrics
