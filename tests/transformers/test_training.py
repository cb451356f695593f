"""One training from its beginning to its end: what is a part of it, how it ended, why it stopped."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from sklearn.base import BaseEstimator
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, T5Config, T5ForConditionalGeneration, Trainer

import runlore
from runlore import Store, guest
from runlore_transformers import RunloreCallback
from tests.transformers.models import At, Rows, only, trainer


def test_making_a_trainer_writes_nothing(store: Store, tmp_path: Path) -> None:
    with runlore.autolog("transformers"):
        for number in range(3):
            trainer(tmp_path / str(number), RunloreCallback())
    assert not store.exists


def test_a_trainer_inside_anothers_training_is_a_part(store: Store, tmp_path: Path) -> None:
    shared = RunloreCallback()
    inner = trainer(tmp_path / "b", shared, max_steps=20)

    def act() -> None:
        inner.train()
        inner.evaluate()

    trainer(tmp_path / "a", shared, At(3, act)).train()
    assert only(store).metrics["loss"].count == 6
    assert "eval_loss" not in only(store).metrics


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_weights_and_states_are_bit_identical(store: Store, tmp_path: Path, how: str) -> None:
    settings = {"save_strategy": "steps", "save_steps": 3, "eval_strategy": "steps", "eval_steps": 3}

    def facts(folder: Path, *callbacks: Any) -> tuple[Any, Any, Any]:
        made = trainer(folder, *callbacks, **settings)
        made.train()
        weights = [item.detach().numpy().tobytes() for item in made.model.parameters()]
        state = json.loads((folder / "checkpoint-6" / "trainer_state.json").read_text())
        history = [
            {k: v for k, v in item.items() if "_per_second" not in k and "runtime" not in k}
            for item in state.pop("log_history")
        ]
        return weights, {**state, "history": history}, sorted(path.name for path in folder.rglob("*"))

    plain = facts(tmp_path / "a")
    with runlore.autolog("transformers") if how == "autolog" else runlore.autolog("sklearn"):
        recorded = facts(tmp_path / "b", *([RunloreCallback()] if how == "callback" else []))
    assert recorded == plain
    assert len(store.runs()) == 1


class Hungry(Trainer):
    """Runs out of memory while a batch has more than two rows, in its third step."""

    def training_step(self, net: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if len(inputs["labels"]) > 2 and self.state.global_step >= 3:
            raise RuntimeError("CUDA out of memory.")
        return super().training_step(net, inputs, *args, **kwargs)


def test_a_batch_that_does_not_fit_begins_again_in_the_same_run(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback(), cls=Hungry, auto_find_batch_size=True, max_steps=8, logging_steps=2)
    made.train()
    run = only(store)
    size = made._train_batch_size
    assert (run.status, size <= 2) == ("finished", True)
    assert run.metrics["loss"].steps.tolist() == [2, 4, 6, 8]
    told = [item["loss"] for item in made.state.log_history if "loss" in item]
    assert run.metrics["loss"].values.tolist() == told
    assert run.params["retried_with_batch_size"] == size
    assert f"begun again with a batch size of {size}" in [note.text for note in run.notes]
    assert run.params["learning_rate"] == 0.001


def test_beginning_again_leaves_the_users_points_alone(store: Store, tmp_path: Path) -> None:
    """Going back to a step dropped the points that the user had logged before, too."""
    with runlore.start_run("mine") as run:
        for step in range(10):
            run.log_metrics({"before/acc": step / 10}, step=step)
        trainer(
            tmp_path, RunloreCallback(), cls=Hungry, auto_find_batch_size=True, max_steps=8, logging_steps=2
        ).train()
        run.log_metrics({"before/acc": 1.0})
    found = only(store)
    assert found.metrics["before/acc"].steps.tolist() == list(range(11))
    assert found.metrics["loss"].steps.tolist() == [2, 4, 6, 8]


# The end


def test_an_exception_fails_the_run_and_reaches_the_caller(store: Store, tmp_path: Path) -> None:
    error = ValueError("no more")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="no more") as caught:
        trainer(tmp_path, RunloreCallback(), At(3, fail)).train()
    assert caught.value is error
    run = only(store)
    assert (run.status, run.error["type"], run.metrics["loss"].count) == ("failed", "ValueError", 2)


@pytest.mark.parametrize("how", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_training_says_so(store: Store, tmp_path: Path, how: type[BaseException]) -> None:
    def stop() -> None:
        raise how

    with pytest.raises(how):
        trainer(tmp_path, RunloreCallback(), At(3, stop)).train()
    assert only(store).status == ("interrupted" if how is KeyboardInterrupt else "finished")


@pytest.mark.parametrize("hook", ["on_train_begin", "on_train_end", "on_save", "on_log"])
@pytest.mark.parametrize("first", [True, False])
def test_a_failure_in_any_hook_fails_the_run(store: Store, tmp_path: Path, hook: str, first: bool) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError(hook)

    failing = type("Failing", (transformers.TrainerCallback,), {hook: fail})()
    callbacks = [failing, RunloreCallback()] if first else [RunloreCallback(), failing]
    with pytest.raises(ValueError, match=hook):
        trainer(tmp_path, *callbacks, save_strategy="steps", save_steps=2).train()
    run = only(store)
    assert (run.status, run.error["message"]) == ("failed", hook)


@pytest.mark.shows("transformers", "early stopping")
def test_early_stopping_finishes_with_its_reason(store: Store, tmp_path: Path) -> None:
    stopping = transformers.EarlyStoppingCallback(early_stopping_patience=1, early_stopping_threshold=9.0)
    trainer(
        tmp_path, RunloreCallback(), stopping, eval_strategy="steps", eval_steps=1, save_strategy="steps", save_steps=1,
        load_best_model_at_end=True, metric_for_best_model="loss", max_steps=20,
    ).train()  # fmt: skip
    run = only(store)
    assert run.status == "finished"
    assert run.tags["stopped"] == "step 2, epoch 0.333333: loss did not improve for 1 evaluations"


def test_what_a_shared_callback_has_counted_before_is_no_reason(store: Store, tmp_path: Path) -> None:
    """A training that was stopped otherwise, before its first evaluation, was told why the one before had stopped."""
    stopping = transformers.EarlyStoppingCallback(early_stopping_patience=1, early_stopping_threshold=9.0)
    judged = {"eval_strategy": "steps", "save_strategy": "steps", "load_best_model_at_end": True, "max_steps": 20}
    settings = {**judged, "metric_for_best_model": "loss", "eval_steps": 4, "save_steps": 4}
    trainer(tmp_path / "a", RunloreCallback("first"), stopping, **settings).train()
    trainer(tmp_path / "b", RunloreCallback("second"), stopping, AlmostEarlyStopping(), **settings).train()
    assert "loss did not improve" in store.run("first").tags["stopped"]
    assert store.run("second").tags["stopped"].startswith("step 3, epoch 0.5: a callback asked for it")


class AlmostEarlyStopping(transformers.TrainerCallback):
    early_stopping_patience = 3

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        control.should_training_stop = state.global_step == 3
        return control


def test_callbacks_of_the_users_may_look_like_others(store: Store, tmp_path: Path) -> None:
    """A callback with an attribute of EarlyStoppingCallback was taken for it, and the run never ended."""
    trainer(tmp_path, AlmostEarlyStopping(), RunloreCallback()).train()
    run = only(store)
    assert (run.status, run.tags["stopped"]) == (
        "finished",
        "step 3, epoch 0.5: a callback asked for it, with 3 steps to go",
    )
    assert not guest.in_fit()


def test_the_users_exception_is_the_one_that_comes_out(store: Store, tmp_path: Path) -> None:
    """An exception of the record came out in the place of the user's."""

    class Failing(AlmostEarlyStopping):
        def on_train_end(self, *_: Any, **__: Any) -> None:
            raise KeyError("users own")

    with pytest.raises(KeyError, match="users own"):
        trainer(tmp_path, Failing(), RunloreCallback()).train()
    assert only(store).status == "failed"


class Broken(Trainer):
    """Fails in a method of its own, before training begins."""

    broken = ""

    def __getattribute__(self, name: str) -> Any:
        if name == type(self).broken:
            raise LookupError(f"no {name}")
        return super().__getattribute__(name)


@pytest.mark.parametrize("method", ["get_train_dataloader", "create_optimizer", "_inner_training_loop"])
def test_a_training_that_fails_before_it_begins_is_a_failed_run(store: Store, tmp_path: Path, method: str) -> None:
    """There was no run, and no word of it."""
    made = trainer(tmp_path, RunloreCallback(), cls=type("Broken", (Broken,), {"broken": method}))
    with pytest.raises(LookupError, match=method) as caught:
        made.train()
    run = only(store)
    assert (run.status, run.error["message"]) == ("failed", str(caught.value))
    assert "__getattribute__" in run.error["traceback"]
    assert (run.params["learning_rate"], run.data["train"]["rows"]) == (0.001, 24)
    assert not guest.in_fit()


def test_a_call_that_does_not_fit_is_no_training(store: Store, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        trainer(tmp_path, RunloreCallback()).train(no_such_argument=1)
    assert not store.exists


# Other Trainers


def test_seq2seq_trainers_are_recorded(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=60, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0, pad_token_id=0
    )
    rows = [{"input_ids": item["input_ids"], "labels": item["input_ids"]} for item in Rows(8)]
    args = Seq2SeqTrainingArguments(
        str(tmp_path), max_steps=3, logging_steps=1, use_cpu=True, disable_tqdm=True, save_strategy="no",
        predict_with_generate=True, generation_max_length=4, report_to="none",
    )  # fmt: skip
    with runlore.autolog("transformers"):
        made = Seq2SeqTrainer(T5ForConditionalGeneration(config), args, train_dataset=rows, eval_dataset=rows)
        made.train()
        made.evaluate(max_length=4)
    run = only(store)
    assert (run.metrics["loss"].count, run.metrics["eval_loss"].steps.tolist()) == (3, [3])
    assert run.params["predict_with_generate"] is True


class Estimator(BaseEstimator):  # type: ignore[misc]
    """Trains in scikit-learn's `fit`."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def fit(self, X: Any, y: Any) -> Any:
        self.trainer.train()
        self.fitted_ = True
        return self


def test_a_training_with_a_callback_of_its_own_is_a_run_below_that_of_an_estimator(
    store: Store, tmp_path: Path
) -> None:
    """Nothing of it was recorded."""
    with runlore.autolog("sklearn"):
        Estimator(trainer(tmp_path, RunloreCallback("net", experiment="digits"))).fit([[1.0]], [1.0])
    net, outer = store.runs()
    assert (net.parent, net.name, net.experiment) == (outer, "net", "digits")
    assert net.metrics["loss"].count == 6
