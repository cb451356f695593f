"""The numbers that a Trainer logs: by split, and those of a whole training."""

from pathlib import Path
from typing import Any

import transformers
from transformers import Trainer

from runlore import Store
from runlore_transformers import RunloreCallback
from tests.transformers.models import Rows, only, trainer


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
