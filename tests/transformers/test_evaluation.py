"""`evaluate` and `predict` after a training, or without one."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from transformers import BertForSequenceClassification, Trainer, TrainerCallback

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


def test_weights_that_were_changed_behind_a_training_claim_no_step_of_it(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    trained = only(store)
    kept = {name: item.clone() for name, item in made.model.state_dict().items()}
    made.model.load_state_dict({name: item * 2 for name, item in kept.items()})
    told = made.evaluate()
    assert "eval_loss" not in store.run(trained.id).metrics
    (run,) = (run for run in store.runs() if run.id != trained.id)
    assert (run.metrics["eval_loss"].last, run.tags["purpose"]) == (told["eval_loss"], "evaluation")
    assert [(link["kind"], link["run"]) for link in run.links] == [("refit_of", trained.id)]
    made.model.load_state_dict(kept)
    made.evaluate()
    assert store.run(trained.id).metrics["eval_loss"].steps.tolist() == [6]


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


# Before the training


def test_an_evaluation_before_the_training_is_its_baseline(store: Store, tmp_path: Path) -> None:
    """It was a run of its own, and nothing led from the training to it."""
    made = trainer(tmp_path, RunloreCallback("tuned"), eval_strategy="steps", eval_steps=3)
    told, predicted = made.evaluate(), made.predict(Rows(5)).metrics
    assert only(store).tags["purpose"] == "evaluation"
    made.train()
    run = only(store)
    assert (run.name, run.status, "purpose" in run.tags) == ("tuned", "finished", False)
    assert run.metrics["eval_loss"].steps.tolist() == [0, 3, 6]
    assert run.metrics["eval_loss"].epochs.tolist() == [0.0, 0.5, 1.0]
    assert run.metrics["eval_loss"].values[0] == told["eval_loss"]
    assert (run.metrics["test_loss"].steps.tolist(), run.metrics["test_loss"].last) == ([0], predicted["test_loss"])
    assert (run.params["learning_rate"], run.data["train"]["rows"]) == (0.001, 24)
    made.train()
    assert len(store.runs()) == 2


def test_a_baseline_on_another_set_takes_no_names_from_the_training(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback(), eval_strategy="steps", eval_steps=3)
    noisy = Rows(12)
    told = made.evaluate(noisy)
    made.train()
    made.evaluate(noisy)
    run = only(store)
    assert run.metrics["eval_loss"].steps.tolist() == [3, 6]
    assert run.metrics["eval_loss/noisy"].steps.tolist() == [0, 6]
    assert run.metrics["eval_loss/noisy"].values[0] == told["eval_loss"]


def test_a_training_with_other_options_is_a_run_of_its_own(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path / "a", RunloreCallback("judged"))
    made.evaluate()
    trainer(tmp_path / "b", RunloreCallback("tuned"), model=made.model).train()
    assert sorted(run.name for run in store.runs()) == ["judged", "tuned"]


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
    assert run.metrics["eval_loss"].epochs.tolist() == [2 / 6, 4 / 6, 1.0]
    assert dict(zip([2, 4, 6], run.metrics["eval_loss"].values, strict=True))[best] == told["eval_loss"]


class Doubling(Trainer):
    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        loss, *more = super().compute_loss(*args, **kwargs) if kwargs.get("return_outputs") else [0.0]
        return (2 * loss, *more)


def test_no_evaluation_of_a_saved_model_replaces_a_point_of_the_training(store: Store, tmp_path: Path) -> None:
    """One of the model that was saved behind the training, loaded again, took the epoch from its point."""
    settings = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 2}
    best = {"load_best_model_at_end": True, "metric_for_best_model": "loss", "greater_is_better": True}
    made = trainer(tmp_path, RunloreCallback(), **settings, **best)
    made.train()
    step = made.state.best_global_step
    before = only(store).metrics["eval_loss"]
    made.save_model(tmp_path / "final")
    for cls in (Trainer, Doubling):
        loaded = BertForSequenceClassification.from_pretrained(tmp_path / "final")
        told = trainer(tmp_path, RunloreCallback(), cls=cls, model=loaded).evaluate(made.eval_dataset)
    run = only(store)
    after = run.metrics["eval_loss"]
    assert (after.values.tolist(), after.epochs.tolist()) == (before.values.tolist(), before.epochs.tolist())
    assert run.metrics["eval_loss/after"].values.tolist() == [told["eval_loss"]]
    assert run.metrics["eval_loss/after"].steps.tolist() == [step]
    assert "eval_runtime/after" not in run.metrics
    final = run.artifact("final")
    assert (final.step, final.epoch) == (step, step / 6)


def test_an_evaluation_where_the_best_checkpoint_is_gone_has_the_last_step(store: Store, tmp_path: Path) -> None:
    """It had the step of the best one, which the Trainer could not load."""
    made = trainer(
        tmp_path, RunloreCallback(), eval_strategy="steps", eval_steps=2, save_strategy="steps", save_steps=2,
        load_best_model_at_end=True, metric_for_best_model="score",
    )  # fmt: skip
    scores = iter([0.9, 0.1, 0.3, 0.2])
    made.compute_metrics = lambda _: {"score": next(scores)}
    made.add_callback(At(5, lambda: shutil.rmtree(tmp_path / "checkpoint-2")))
    made.train()
    assert made.state.best_global_step == 2
    made.predict(Rows(5))
    assert only(store).metrics["test_loss"].steps.tolist() == [6]


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


def test_another_set_that_takes_the_place_of_the_trainers_own_is_told_apart(store: Store, tmp_path: Path) -> None:
    """It had the names of the one before; the same data, made anew, had names of its own."""
    made = trainer(tmp_path, RunloreCallback(), eval_strategy="steps", eval_steps=3)
    made.train()
    before = only(store).metrics["eval_loss"].values.tolist()
    made.evaluate(Rows(8))
    made.eval_dataset = Rows(40)
    told = made.evaluate()
    run = only(store)
    assert run.metrics["eval_loss"].values.tolist() == before
    assert run.metrics["eval_loss/eval_2"].values.tolist() == [told["eval_loss"]]
    assert [name for name in run.metrics if name.startswith("eval_loss")] == ["eval_loss", "eval_loss/eval_2"]


def test_a_set_is_named_as_the_user_names_it(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    test_set, noisy_ds, val = Rows(5), Rows(6), Rows(7)
    told = [made.predict(test_set).metrics, made.predict(noisy_ds).metrics, made.predict(test_dataset=val).metrics]
    made.evaluate(test_set)
    made.evaluate(noisy_ds, metric_key_prefix="noisy")
    run = only(store)
    found = [run.metrics[f"test_loss{ending}"].values.tolist() for ending in ("", "/noisy", "/val")]
    assert found == [[value["test_loss"]] for value in told]
    assert [run.metrics[key].count for key in ("eval_loss/test", "noisy_loss")] == [1, 1]
    assert run.data["test/noisy"] | {"called": "noisy", "rows": 6} == run.data["test/noisy"]


def test_a_dataset_is_named_as_its_split(store: Store, tmp_path: Path) -> None:
    from datasets import Dataset

    tables = [Dataset.from_list(list(map(Rows(8).__getitem__, range(count)))) for count in (4, 5)]
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    for table, split in zip(tables, ("validation_matched", "validation_mismatched"), strict=True):
        made.evaluate(Dataset(table.data, split=split).with_format("torch"))
    names = [name for name in only(store).metrics if name.startswith("eval_loss")]
    assert names == ["eval_loss/validation_matched", "eval_loss/validation_mismatched"]


class Probing(TrainerCallback):
    """Evaluates on other data whenever the Trainer has evaluated."""

    def __init__(self, *sets: Any, prefix: str = "eval") -> None:
        self.made: Any = None
        self.told: list[float] = []
        self._sets = sets
        self._prefix = prefix
        self._busy = False

    def on_evaluate(self, *_: Any, **__: Any) -> None:
        if not self._busy:
            self._busy = True
            for noisy in self._sets:
                self.told.append(self.made.evaluate(noisy, metric_key_prefix=self._prefix)[f"{self._prefix}_loss"])
            self._busy = False


def test_an_evaluation_by_a_callback_replaces_no_point_of_the_training(store: Store, tmp_path: Path) -> None:
    """Its numbers took the place of those that the training had at the same step."""
    probing = Probing(Rows(5))
    made = probing.made = trainer(tmp_path, RunloreCallback(), probing, eval_strategy="steps", eval_steps=3)
    made.train()
    own = [item["eval_loss"] for item in made.state.log_history if "eval_loss" in item]
    behind = made.evaluate()["eval_loss"]
    run = only(store)
    assert run.metrics["eval_loss/noisy"].steps.tolist() == [3, 6]
    assert run.metrics["eval_loss/noisy"].values.tolist() == probing.told[:2]
    assert sorted(run.metrics["eval_loss"].values.tolist()) == sorted(set(own) - set(probing.told))
    assert run.metrics["eval_loss"].last == behind
    assert run.data["eval/noisy"]["rows"] == 5


def test_an_evaluation_by_a_callback_has_the_split_of_its_prefix(store: Store, tmp_path: Path) -> None:
    """It was of the split `train`, and its data was not described."""
    probing = Probing(Rows(5), prefix="noisy")
    probing.made = trainer(tmp_path, RunloreCallback(), probing, eval_strategy="steps", eval_steps=3)
    probing.made.train()
    run = only(store)
    assert (run.metrics["noisy_loss"].split, run.metrics["noisy_loss"].values.tolist()) == ("noisy", probing.told)
    assert run.data["noisy"]["rows"] == 5


def test_what_is_evaluated_within_a_fit_by_another_trainer_has_names_of_its_own(store: Store, tmp_path: Path) -> None:
    """It was lost without a word."""
    teacher, known = trainer(tmp_path / "t", RunloreCallback("teacher"), max_steps=2), Rows(12)
    teacher.train()
    student = trainer(tmp_path / "s", RunloreCallback("student"), max_steps=4)
    told: list[float] = []

    def evaluate() -> None:
        told.append(teacher.evaluate(known)["eval_loss"])
        of_student = trainer(tmp_path / "o", RunloreCallback(), model=student.model)
        of_student.evaluate()
        of_student.predict(known)

    for step in (2, 4):
        student.add_callback(At(step, evaluate))
    student.train()
    run, taught = store.runs()
    assert (run.name, taught.name, len(store.runs())) == ("student", "teacher", 2)
    kind = "BertForSequenceClassification"
    found = {key: run.metrics[key].steps.tolist() for key in run.metrics if key.startswith(("eval_loss", "test_loss"))}
    (key,) = [key for key in found if key.endswith(f"/{kind}")]
    assert run.metrics[key].values.tolist() == pytest.approx(told)
    assert found == {key: [2, 4], "eval_loss/again": [2, 4], "test_loss": [2, 4]}
    assert [(link["kind"], link["run"]) for link in run.links] == [("uses", taught.id)]
    assert "eval_loss" not in taught.metrics


def test_an_override_that_passes_its_call_on_names_no_set(store: Store, tmp_path: Path) -> None:
    """The parameter of `Seq2SeqTrainer.evaluate` named a test set: "test_loss/eval"."""

    class Overrides(Trainer):
        def evaluate(self, eval_dataset: Any = None, **more: Any) -> dict[str, float]:  # type: ignore[override]
            return dict(super().evaluate(eval_dataset, **more))

    made = trainer(tmp_path, RunloreCallback(), cls=Overrides, eval_dataset=Rows(4))
    made.train()
    noisy = Rows(7)
    told = [made.evaluate(Rows(5), metric_key_prefix="test")["test_loss"], made.evaluate(noisy)["eval_loss"]]
    run = only(store)
    assert [run.metrics["test_loss"].last, run.metrics["eval_loss/noisy"].last] == told


def test_several_sets_behind_a_training_have_the_names_that_they_are_given(store: Store, tmp_path: Path) -> None:
    """`eval_noisy_loss/eval_2`: the key is a name already."""
    made = trainer(tmp_path, RunloreCallback(), eval_dataset={"clean": Rows(4)}, eval_strategy="steps", eval_steps=3)
    made.train()
    told = made.evaluate({"noisy": Rows(5), "shifted": Rows(6)})
    other = made.evaluate({"clean": Rows(7)})
    run = only(store)
    assert run.metrics["eval_clean_loss"].steps.tolist() == [3, 6]
    assert [run.metrics[f"eval_{name}_loss"].last for name in ("noisy", "shifted")] == [
        told[f"eval_{name}_loss"] for name in ("noisy", "shifted")
    ]
    assert run.metrics["eval_clean_loss/eval_3"].last == other["eval_clean_loss"]
    assert {"eval_clean", "eval_noisy", "eval_shifted", "eval/eval_3_clean"} <= set(run.data)
