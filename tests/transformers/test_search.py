"""Searches for hyperparameters: one run, and a child for each trial."""

from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore import Store
from runlore_transformers import RunloreCallback
from tests.transformers.models import SAVING, At, model, saved, trainer


def search(made: Any, rates: tuple[float, ...] = (0.25, 0.5), **settings: Any) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return made.hyperparameter_search(
        hp_space=lambda trial: {"learning_rate": trial.suggest_categorical("learning_rate", rates)},
        n_trials=2, backend="optuna", sampler=optuna.samplers.BruteForceSampler(seed=0), **settings,
    )  # fmt: skip


@pytest.mark.shows("transformers", "search trees")
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
    assert [child.status for child in parent.children] == ["finished"] * 2
    assert "stopped" not in parent.children[0].tags
    assert parent.children[1].tags["stopped"] == "step 2, epoch 0.333333: pruned"
    assert parent.status == "finished"


def test_a_trial_that_a_callback_prunes_tells_its_message(store: Store, tmp_path: Path) -> None:
    import optuna

    def prune() -> None:
        raise optuna.TrialPruned("no promise")

    with pytest.raises(ValueError, match="No trials are completed"):
        search(trainer(tmp_path, RunloreCallback(), At(3, prune), model_init=model))
    (parent,) = store.runs("parent is None")
    assert {child.tags["stopped"] for child in parent.children} == {"step 3, epoch 0.5: pruned: no promise"}


def test_a_search_by_a_trainer_made_before_autolog_is_one(store: Store, tmp_path: Path) -> None:
    """Its trials were recorded, but not the search above them."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = trainer(tmp_path, model_init=model, max_steps=2)
    with runlore.autolog("transformers"):
        made.hyperparameter_search(hp_space=lambda trial: {"seed": trial.suggest_int("seed", 1, 2)}, n_trials=1)
    (parent,) = store.runs("parent is None")
    assert [child.name for child in parent.children] == ["trial-0"]


def test_a_second_search_knows_what_it_searches(store: Store, tmp_path: Path) -> None:
    """After a search a Trainer has no model, and the next one was tagged NoneType."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = trainer(tmp_path, RunloreCallback(), model_init=model, max_steps=2)
    for _ in range(2):
        made.hyperparameter_search(hp_space=lambda trial: {"seed": trial.suggest_int("seed", 1, 2)}, n_trials=1)
    assert {run.tags.get("model") for run in store.runs()} <= {"BertForSequenceClassification", None}
