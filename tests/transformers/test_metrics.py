"""The numbers that a Trainer logs: by split, and those of a whole training."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import Trainer

import runlore
from runlore import Store
from runlore_transformers import RunloreCallback
from tests.transformers.models import Rows, only, trainer


@pytest.mark.shows("transformers", "metrics")
def test_numbers_go_by_split_and_none_is_counted_twice(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback(), eval_strategy="steps", eval_steps=2)
    result = made.train()
    run = only(store)
    history = made.state.log_history
    for name in ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_runtime"):
        told = [(item["step"], item[name]) for item in history if name in item]
        series = run.metrics[name]
        assert list(zip(series.steps.tolist(), series.values.tolist(), strict=True)) == told
        assert series.split == ("eval" if name.startswith("eval_") else "train")
    assert run.metrics["loss"].epochs.tolist() == [item["epoch"] for item in history if "loss" in item]
    assert not [name for name in run.metrics if name.startswith("train_") or name in ("epoch", "total_flos")]
    assert run.summary["train_loss"] == result.metrics["train_loss"]
    assert {"train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos"} <= set(run.summary)


def test_several_eval_sets_are_kept_apart(store: Store, tmp_path: Path) -> None:
    sets = {"easy": Rows(4), "hard": Rows(8)}
    trainer(tmp_path, RunloreCallback(), eval_dataset=sets, eval_strategy="steps", eval_steps=3).train()
    run = only(store)
    assert run.metrics["eval_easy_loss"].steps.tolist() == run.metrics["eval_hard_loss"].steps.tolist() == [3, 6]
    assert run.metrics["eval_easy_loss"].values.tolist() != run.metrics["eval_hard_loss"].values.tolist()
    assert (run.data["eval_easy"]["rows"], run.data["eval_hard"]["rows"]) == (4, 8)


def test_a_prefix_of_the_users_is_the_split(store: Store, tmp_path: Path) -> None:
    """Only usual prefixes were known, so these metrics counted as those of training."""
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    made.evaluate(metric_key_prefix="holdout")
    assert only(store).metrics["holdout_loss"].split == "holdout"


def test_names_that_are_no_texts_cost_nothing(store: Store, tmp_path: Path) -> None:
    """A metric's name that is a number raised, and no metric was recorded."""

    class Odd(Trainer):
        def log(self, logs: Any, *args: Any, **kwargs: Any) -> None:
            logs[0] = 1.0
            super().log(logs, *args, **kwargs)

    trainer(tmp_path, RunloreCallback(), cls=Odd).train()
    assert (only(store).metrics["loss"].count, only(store).metrics["0"].last) == (6, 1.0)


def test_counting_tokens_costs_no_curve(store: Store, tmp_path: Path) -> None:
    """Each step logs a runtime then, and was taken for the numbers of the whole training."""
    trainer(tmp_path, RunloreCallback(), include_num_input_tokens_seen="all").train()
    run = only(store)
    assert run.metrics["loss"].count == 6
    assert "train_loss" in run.summary
    assert "loss" not in run.summary


def test_the_train_set_can_be_evaluated_at_every_epoch(store: Store, tmp_path: Path) -> None:
    """Its `train_runtime` made each evaluation pass for the numbers of the whole training."""

    class OnTrain(transformers.TrainerCallback):
        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            made.evaluate(made.train_dataset, metric_key_prefix="train")

    made = trainer(tmp_path, OnTrain(), RunloreCallback(), max_steps=18)
    made.train()
    run = only(store)
    assert run.metrics["train_loss"].steps.tolist() == [6, 12, 18]
    assert run.summary["train_loss"] != run.metrics["train_loss"].last


class Adds(transformers.TrainerCallback):
    """Adds a number to what is logged, and takes another away, as PrinterCallback does."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs:
            logs["perplexity"] = 2 ** logs["loss"]
            logs.pop("grad_norm", None)


@pytest.mark.parametrize("first", [True, False])
def test_what_a_callback_adds_is_recorded_wherever_it_stands(store: Store, tmp_path: Path, first: bool) -> None:
    """Numbers of callbacks behind ours were lost."""
    callbacks = [Adds(), RunloreCallback()] if first else [RunloreCallback(), Adds()]
    trainer(tmp_path, *callbacks).train()
    run = only(store)
    assert run.metrics["perplexity"].steps.tolist() == run.metrics["loss"].steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert run.metrics["perplexity"].epochs.tolist() == run.metrics["loss"].epochs.tolist()
    assert ("grad_norm" in run.metrics) == (not first)


def test_numbers_that_a_failing_callback_was_told_are_recorded(store: Store, tmp_path: Path) -> None:
    class Fails(transformers.TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        trainer(tmp_path, Fails(), RunloreCallback()).train()
    assert only(store).metrics["loss"].steps.tolist() == [1]


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_what_is_logged_before_a_training_is_at_its_step_0(store: Store, tmp_path: Path, how: str) -> None:
    """It was lost without a word."""
    with runlore.autolog("transformers") if how == "autolog" else nullcontext():
        made = trainer(tmp_path, *([RunloreCallback()] if how == "callback" else []))
        made.log({"baseline": 0.5})
        assert not store.exists
        made.train()
        made.train()
    second, first = store.runs()
    assert (first.metrics["baseline"].steps.tolist(), first.metrics["baseline"].last) == ([0], 0.5)
    assert "baseline" not in second.metrics


class SameNames(Trainer):
    """Logs a part of the loss, in training and in evaluations, under one name, as Trainers for several losses do."""

    part = 0.0

    def log(self, logs: Any, *args: Any, **kwargs: Any) -> None:
        if "loss" in logs or "eval_loss" in logs:
            logs["part"] = logs.get("loss", 10.0)
        super().log(logs, *args, **kwargs)


def test_numbers_of_an_evaluation_are_no_points_of_a_curve_of_training(store: Store, tmp_path: Path) -> None:
    """Without a prefix they counted as those of training, and took the place of a point at the same step."""
    made = trainer(tmp_path, RunloreCallback(), Adds(), cls=SameNames, eval_strategy="steps", eval_steps=3)
    made.train()
    made.evaluate(metric_key_prefix="holdout")
    run = only(store)
    assert run.metrics["part"].values.tolist() == run.metrics["loss"].values.tolist()
    assert run.metrics["eval_part"].steps.tolist() == [3, 6]
    assert run.metrics["eval_part"].values.tolist() == [10.0, 10.0]
    assert (run.metrics["part"].split, run.metrics["eval_part"].split) == ("train", "eval")
    assert "holdout_part" not in run.metrics
