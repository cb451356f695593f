"""What once broke a training, lost numbers, or told something untrue."""

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from sklearn.linear_model import LogisticRegression
from transformers import Trainer

import runlore
from runlore import Store, guest
from runlore_transformers import RunloreCallback
from tests.transformers.models import ROOT, At, Rows, model, only, trainer


class AlmostEarlyStopping(transformers.TrainerCallback):
    early_stopping_patience = 3

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        control.should_training_stop = state.global_step == 3
        return control


def test_callbacks_of_the_users_may_look_like_others(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path, AlmostEarlyStopping(), RunloreCallback()).train()
    run = only(store)
    assert (run.status, run.tags["stopped"][:7]) == ("finished", "step 3:")
    assert not guest.in_fit()


def test_the_users_exception_is_the_one_that_comes_out(store: Store, tmp_path: Path) -> None:
    class Failing(AlmostEarlyStopping):
        def on_train_end(self, *_: Any, **__: Any) -> None:
            raise KeyError("users own")

    with pytest.raises(KeyError, match="users own"):
        trainer(tmp_path, Failing(), RunloreCallback()).train()
    assert only(store).status == "failed"


def test_counting_tokens_costs_no_curve(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path, RunloreCallback(), include_num_input_tokens_seen="all").train()
    run = only(store)
    assert run.metrics["loss"].count == 6
    assert "train_loss" in run.summary
    assert "loss" not in run.summary


def test_the_train_set_can_be_evaluated_at_every_epoch(store: Store, tmp_path: Path) -> None:
    class OnTrain(transformers.TrainerCallback):
        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            made.evaluate(made.train_dataset, metric_key_prefix="train")

    made = trainer(tmp_path, OnTrain(), RunloreCallback(), max_steps=18)
    made.train()
    run = only(store)
    assert run.metrics["train_loss"].steps.tolist() == [6, 12, 18]
    assert run.summary["train_loss"] != run.metrics["train_loss"].last


def test_another_set_takes_nothing_from_the_validation_curve(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback(), eval_strategy="steps", eval_steps=3)
    made.train()
    before = only(store).metrics["eval_loss"].values.tolist()
    told = made.evaluate(Rows(40))
    run = only(store)
    assert run.metrics["eval_loss"].values.tolist() == before
    assert run.metrics["eval_loss/eval_2"].values.tolist() == [told["eval_loss"]]
    assert run.data["eval/eval_2"]["rows"] == 40


def test_a_trainer_made_before_autolog_is_recorded(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path)
    with runlore.autolog("transformers"):
        made.train()
        made.evaluate()
    assert (only(store).metrics["loss"].count, only(store).metrics["eval_loss"].count) == (6, 1)


def test_weights_that_were_trained_on_are_no_runs(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    monkeypatch.setenv("RUNLORE_DISABLED", "transformers")
    made.train()
    monkeypatch.delenv("RUNLORE_DISABLED")
    made.evaluate()
    alone, trained = store.runs()
    assert alone.tags["purpose"] == "evaluation"
    assert "eval_loss" not in trained.metrics


def test_a_search_by_a_trainer_made_before_autolog_is_one(store: Store, tmp_path: Path) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = trainer(tmp_path, model_init=model, max_steps=2)
    with runlore.autolog("transformers"):
        made.hyperparameter_search(hp_space=lambda trial: {"seed": trial.suggest_int("seed", 1, 2)}, n_trials=1)
    (parent,) = store.runs("parent is None")
    assert [child.name for child in parent.children] == ["trial-0"]


def test_sets_of_equal_length_are_kept_apart(store: Store, tmp_path: Path) -> None:
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


def test_beginning_again_leaves_the_users_points_alone(store: Store, tmp_path: Path) -> None:
    class Hungry(Trainer):
        def training_step(self, net: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if len(inputs["labels"]) > 2 and self.state.global_step >= 3:
                raise RuntimeError("CUDA out of memory.")
            return super().training_step(net, inputs, *args, **kwargs)

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


def test_an_evaluation_behind_a_failed_training_has_the_step_of_its_weights(store: Store, tmp_path: Path) -> None:
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


def test_what_else_lies_in_the_folder_is_no_model(store: Store, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("private")
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    made.save_model()
    (saved,) = [item for item in only(store).artifacts if item.kind == "model"]
    assert "model.safetensors" in {member.path for member in saved.members}
    assert "diary.txt" not in {member.path for member in saved.members}


def test_a_look_at_an_origin_writes_nothing_there(store: Store, tmp_path: Path) -> None:
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


class Equal(Trainer):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_a_trainer_need_not_be_hashable(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback(), cls=Equal)
    made.train()
    made.evaluate()
    assert only(store).metrics["eval_loss"].count == 1


def test_an_evaluation_first_leaves_the_users_run_to_the_training(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    with runlore.start_run("mine"):
        made.evaluate()
        made.train()
    run = only(store)
    assert "purpose" not in run.tags
    assert (run.metrics["loss"].count, run.metrics["eval_loss"].count) == (6, 1)


class OwnEvaluate(Trainer):
    """As examples of question answering do it."""

    def evaluate(self, eval_dataset: Any = None, *_: Any, **__: Any) -> dict[str, float]:  # type: ignore[override]
        output = self.evaluation_loop(self.get_eval_dataloader(eval_dataset), "Evaluation", metric_key_prefix="eval")
        self.log(output.metrics)
        return dict(output.metrics)


def test_an_evaluate_of_the_users_is_recorded_behind_the_training(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback(), cls=OwnEvaluate)
    made.train()
    told = made.evaluate()
    made.log({"final_score": 0.77})
    run = only(store)
    assert run.metrics["eval_loss"].values.tolist() == [told["eval_loss"]]
    assert run.metrics["final_score"].steps.tolist() == [6]


def test_a_part_of_a_dataset_is_described_as_such(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train_dataset = torch.utils.data.Subset(Rows(24), range(12))
    made.train()
    assert only(store).data["train"]["rows"] == 12


def test_what_metrics_fit_is_a_part_of_the_evaluation(store: Store, tmp_path: Path) -> None:
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


def test_an_attribute_named_module_wraps_nothing(store: Store, tmp_path: Path) -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = torch.nn.Embedding(60, 4)
            self.head = torch.nn.Linear(4, 2)

        def forward(self, input_ids: Any, labels: Any) -> Any:
            scores = self.head(self.module(input_ids).mean(1))
            return {"loss": torch.nn.functional.cross_entropy(scores, labels), "logits": scores}

    trainer(tmp_path, RunloreCallback(), model=Net()).train()
    assert (only(store).params["model.class"], only(store).params["model.parameters"]) == ("Net", 250)


def test_long_lists_of_labels_are_counted_wherever_they_stand(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.model.config.encoder = {"id2label": {str(number): "x" for number in range(1000)}}
    made.train()
    assert only(store).params["model.encoder.id2label"] == "1000 labels"


def test_names_that_are_no_texts_cost_nothing(store: Store, tmp_path: Path) -> None:
    class Odd(Trainer):
        def log(self, logs: Any, *args: Any, **kwargs: Any) -> None:
            logs[0] = 1.0
            super().log(logs, *args, **kwargs)

    trainer(tmp_path, RunloreCallback(), cls=Odd).train()
    assert (only(store).metrics["loss"].count, only(store).metrics["0"].last) == (6, 1.0)


def test_a_prefix_of_the_users_is_the_split(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback())
    made.train()
    made.evaluate(metric_key_prefix="holdout")
    assert only(store).metrics["holdout_loss"].split == "holdout"


def test_a_trainer_that_its_callback_holds_is_freed(store: Store, tmp_path: Path) -> None:
    ours = RunloreCallback()
    made = trainer(tmp_path, ours)
    ours.trainer = made  # type: ignore[attr-defined]
    made.train()
    seen = weakref.ref(made)
    del made, ours
    gc.collect()
    assert seen() is None


def test_going_on_from_ones_own_run_is_one_link(store: Store, tmp_path: Path) -> None:
    made = trainer(tmp_path, RunloreCallback(), save_strategy="steps", save_steps=3)
    made.train()
    made.args.max_steps = 8
    made.train(resume_from_checkpoint=True)
    assert [link["kind"] for link in store.runs()[0].links] == ["resumed_from"]


def test_a_second_search_knows_what_it_searches(store: Store, tmp_path: Path) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = trainer(tmp_path, RunloreCallback(), model_init=model, max_steps=2)
    for _ in range(2):
        made.hyperparameter_search(hp_space=lambda trial: {"seed": trial.suggest_int("seed", 1, 2)}, n_trials=1)
    assert {run.tags.get("model") for run in store.runs()} <= {"BertForSequenceClassification", None}


# accelerate


def accelerator() -> Any:
    from accelerate import Accelerator

    from runlore_transformers import RunloreTracker

    assert RunloreTracker.name == "runlore"
    return Accelerator(cpu=True, log_with="runlore")


def test_several_loops_make_several_runs(store: Store) -> None:
    for rate in (0.1, 0.2, 0.3):
        made = accelerator()
        made.init_trackers("sweep", config={"lr": rate})
        made.log({"loss": rate}, step=0)
    LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    assert [run.params["lr"] for run in store.runs(sort="id")] == [0.1, 0.2, 0.3]
    assert [run.metrics["loss"].last for run in store.runs(sort="id")] == [0.1, 0.2, 0.3]


def test_a_loop_that_ends_by_an_exception_says_so(store: Store) -> None:
    made = accelerator()
    made.init_trackers("digits")
    with pytest.raises(ValueError, match="boom"):
        try:
            raise ValueError("boom")
        finally:
            made.end_training()
    assert (only(store).status, only(store).error["message"]) == ("failed", "boom")


def test_init_trackers_twice_is_one_run(store: Store) -> None:
    from accelerate import Accelerator

    from runlore_transformers import RunloreTracker

    made = Accelerator(cpu=True, log_with=RunloreTracker("digits"))
    made.init_trackers("digits")
    made.init_trackers("digits")
    made.log({"loss": 1.0}, step=3)
    made.end_training()
    assert only(store).metrics["loss"].steps.tolist() == [3]


CHANGED = """
import sys, warnings
import transformers
from transformers import Trainer
sys.modules["transformers"].__version__ = "9.9.9"
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from runlore_transformers import RunloreCallback
    import runlore
    runlore.autolog("transformers")
print(*[str(item.message)[:36] for item in caught if item.category.__name__ == "RunloreWarning"], sep="|")
from pathlib import Path
from tests.transformers.models import trainer
made = trainer(Path("out"), RunloreCallback(), save_strategy="steps", save_steps=3)
made.train()
"""


def test_another_version_is_warned_of_once_and_recorded(store: Store, python: Any) -> None:
    told = python(CHANGED, PYTHONPATH=ROOT).succeed()
    assert told.splitlines()[0] == "transformers 9.9.9 is not tested with"[:36]
    assert only(store).metrics["loss"].count == 6
