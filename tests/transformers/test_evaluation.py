"""`evaluate` and `predict` after a training, or without one."""

from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

import runlore
from runlore import Store
from runlore_transformers import RunloreCallback
from tests.transformers.models import At, OwnEvaluate, Rows, only, trainer


def test_an_evaluation_alone_is_a_run_of_its_own(store: Store, tmp_path: Path) -> None:
    with runlore.autolog("transformers"):
        told = trainer(tmp_path, eval_dataset={"a": Rows(4), "b": Rows(5)}).evaluate()
    run = only(store)
    assert (run.status, run.tags["purpose"]) == ("finished", "evaluation")
    assert run.metrics["eval_a_loss"].last == told["eval_a_loss"]
    assert run.metrics["eval_b_loss"].last == told["eval_b_loss"]
    assert run.params["model.hidden_size"] == 16


def test_an_evaluation_first_leaves_the_users_run_to_the_training(store: Store, tmp_path: Path) -> None:
    """The evaluation took the user's run for itself, and the training became a child of it."""
    made = trainer(tmp_path, RunloreCallback())
    with runlore.start_run("mine"):
        made.evaluate()
        made.train()
    run = only(store)
    assert "purpose" not in run.tags
    assert (run.metrics["loss"].count, run.metrics["eval_loss"].count) == (6, 1)


def test_what_is_evaluated_and_predicted_behind_a_training_is_added(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    told = made.evaluate()
    predicted = made.predict(Rows(5)).metrics
    other = made.evaluate(Rows(3))
    run = only(store)
    assert run.metrics["eval_loss"].values.tolist() == [told["eval_loss"]]
    assert run.metrics["eval_loss"].steps.tolist() == [6]
    assert run.metrics["eval_loss/eval_2"].values.tolist() == [other["eval_loss"]]
    assert (run.metrics["test_loss"].split, run.metrics["test_loss"].last) == ("test", predicted["test_loss"])
    assert run.status == "finished"


def test_an_evaluate_of_the_users_is_recorded_behind_the_training(store: Store, tmp_path: Path) -> None:
    """Numbers that are logged outside of all wrapped methods were not heard."""
    made = trainer(tmp_path, RunloreCallback(), cls=OwnEvaluate)
    made.train()
    told = made.evaluate()
    made.log({"final_score": 0.77})
    run = only(store)
    assert run.metrics["eval_loss"].values.tolist() == [told["eval_loss"]]
    assert run.metrics["final_score"].steps.tolist() == [6]


def test_what_metrics_fit_is_a_part_of_the_evaluation(store: Store, tmp_path: Path) -> None:
    """A fit in `compute_metrics` became a run of its own."""

    def probe(prediction: Any) -> dict[str, float]:
        fitted = LogisticRegression().fit(prediction.predictions, [0, 1] * (len(prediction.predictions) // 2))
        return {"probe": float(fitted.coef_[0][0])}

    with runlore.autolog():
        made = trainer(tmp_path)
        made.compute_metrics = probe
        made.train()
        made.evaluate()
        made.predict(Rows(8))
    assert len(store.runs()) == 1


def test_a_failing_evaluation_says_so(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    first = only(store)
    with pytest.raises(TypeError):
        made.predict(5)
    assert only(store).status == first.status == "finished"


# The step of the weights


def test_an_evaluation_of_the_best_model_has_its_step(store: Store, tmp_path: Path) -> None:
    made = trainer(
        tmp_path, RunloreCallback(), eval_strategy="steps", eval_steps=2, save_strategy="steps", save_steps=2,
        load_best_model_at_end=True, metric_for_best_model="loss", greater_is_better=True,
    )  # fmt: skip
    made.train()
    best = made.state.best_global_step
    told = made.evaluate()
    run = only(store)
    assert run.metrics["eval_loss"].steps.tolist() == [2, 4, 6]
    assert dict(zip([2, 4, 6], run.metrics["eval_loss"].values, strict=True))[best] == told["eval_loss"]


def test_an_evaluation_behind_a_failed_training_has_the_step_of_its_weights(store: Store, tmp_path: Path) -> None:
    """It had the step of the best checkpoint, which is loaded only where a training succeeds."""

    def stop() -> None:
        raise KeyboardInterrupt

    made = trainer(
        tmp_path, RunloreCallback(), At(5, stop), eval_strategy="steps", eval_steps=2, save_strategy="steps",
        save_steps=2, load_best_model_at_end=True, metric_for_best_model="loss",
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        made.train()
    made.evaluate()
    assert only(store).metrics["eval_loss"].steps.tolist() == [2, 4, 5]


# Several sets


def test_another_set_takes_nothing_from_the_validation_curve(store: Store, tmp_path: Path) -> None:
    """The first other set had the plain names, which are those of the validation curve."""
    made = trainer(tmp_path, RunloreCallback(), eval_strategy="steps", eval_steps=3)
    made.train()
    before = only(store).metrics["eval_loss"].values.tolist()
    told = made.evaluate(Rows(40))
    run = only(store)
    assert run.metrics["eval_loss"].values.tolist() == before
    assert run.metrics["eval_loss/eval_2"].values.tolist() == [told["eval_loss"]]
    assert run.data["eval/eval_2"]["rows"] == 40


def test_sets_of_equal_length_are_kept_apart(store: Store, tmp_path: Path) -> None:
    """Sets were told apart by their class and length."""
    made = trainer(tmp_path, RunloreCallback(), eval_dataset={"a": Rows(8), "b": Rows(8)})
    made.train()
    first, second = Rows(16), Rows(16)
    second.words = second.words.flip(0) + 1
    told = [made.predict(rows).metrics["test_loss"] for rows in (first, second, first)]
    told.append(made.evaluate("b")["eval_loss"])
    run = only(store)
    assert run.metrics["test_loss"].values.tolist() == [told[0]]
    assert run.metrics["test_loss/test_2"].values.tolist() == [told[1]]
    assert run.metrics["eval_loss/b"].values.tolist() == [told[3]]
