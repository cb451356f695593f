"""A study, its trials, and what these train, whatever the framework, is one tree."""

import os
from pathlib import Path
from typing import Any

import optuna
import pytest

import runlore
from runlore import Store
from runlore_optuna import RunloreCallback


def depths(store: Store) -> list[list[str]]:
    """Return the integrations of the runs by their depth below the only run without a parent."""
    level, found = list(store.runs("parent is None")), []
    assert len(level) == 1
    while level:
        found.append([run.tags["integration"] for run in level])
        level = [child for run in level for child in run.children]
    return found


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scikit_learn(store: Store, n_jobs: int) -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    data = load_iris()

    def objective(trial: Any) -> float:
        model = LogisticRegression(C=trial.suggest_float("C", 0.1, 1), max_iter=500)
        model.fit(data.data, data.target)
        return float(cross_val_score(model, data.data, data.target, cv=2).mean())

    with runlore.autolog("optuna", "sklearn"):
        optuna.create_study().optimize(objective, n_trials=2, n_jobs=n_jobs)
    assert depths(store) == [["optuna"], ["optuna"] * 2, ["sklearn"] * 4, ["sklearn"] * 4]
    trial = store.runs("tags.trial == '1'")[0]
    assert {run.status for run in trial.children} == {"finished"}


@pytest.mark.shows("lightning", "search trees")
@pytest.mark.filterwarnings("ignore")
def test_lightning(store: Store, tmp_path: Path) -> None:
    from tests.lightning.models import Tiny, data, trainer

    def objective(trial: Any) -> float:
        made = trainer(max_epochs=1, default_root_dir=tmp_path)
        made.fit(Tiny(trial.suggest_float("lr", 0.01, 0.1)), data())
        return float(made.global_step)

    with runlore.autolog("optuna", "lightning"):
        optuna.create_study().optimize(objective, n_trials=2)
    assert depths(store) == [["optuna"], ["optuna"] * 2, ["lightning"] * 2]


@pytest.mark.shows("keras", "search trees")
def test_keras(store: Store) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    import numpy as np

    x = np.random.default_rng(0).random((16, 2))

    def objective(trial: Any) -> float:
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(trial.suggest_float("lr", 0.01, 0.1)), "mse")
        losses = model.fit(x, x.sum(1), epochs=2, verbose=0).history["loss"]
        trial.report(losses[0], 0)
        raise optuna.TrialPruned("too slow") if trial.number else ValueError("no")

    with runlore.autolog("optuna", "keras"):
        optuna.create_study().optimize(objective, n_trials=2, catch=ValueError)
    assert depths(store) == [["optuna"], ["optuna"] * 2, ["keras"] * 2]
    assert {run.status for run in store.runs("tags.integration == 'keras'")} == {"finished"}
    assert [run.tags["state"] for run in store.runs("tags.trial != None", sort="id")] == ["FAIL", "PRUNED"]


@pytest.mark.filterwarnings("ignore:BruteForceSampler is experimental")
@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_a_search_of_transformers_has_no_trials_twice(store: Store, tmp_path: Path, how: str) -> None:
    from runlore_transformers import RunloreCallback as ForTrainers
    from tests.transformers.models import model, trainer
    from tests.transformers.test_search import search

    with runlore.autolog("optuna", "transformers") if how == "autolog" else runlore.autolog("optuna"):
        search(trainer(tmp_path, *([ForTrainers()] if how == "callback" else []), model_init=model))
    assert depths(store) == [["transformers"], ["transformers"] * 2]


def test_a_study_within_a_trial(store: Store) -> None:
    def inner(trial: Any) -> float:
        return float(trial.suggest_float("x", 0, 1))

    def outer(trial: Any) -> float:
        study = optuna.create_study()
        study.optimize(inner, n_trials=2)
        return float(study.best_value)

    with runlore.autolog("optuna"):
        optuna.create_study().optimize(outer, n_trials=2)
    assert depths(store) == [["optuna"], ["optuna"] * 2, ["optuna"] * 2, ["optuna"] * 4]


def test_what_is_trained_before_a_trial_is_told_belongs_to_it(store: Store) -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data = load_iris()

    def fit(trial: Any) -> float:
        model = LogisticRegression(C=trial.suggest_float("C", 0.1, 1), max_iter=500)
        return float(model.fit(data.data, data.target).score(data.data, data.target))

    with runlore.autolog("optuna", "sklearn"):
        study = optuna.create_study()
        trial = study.ask()
        study.tell(trial, fit(trial))
        several = [study.ask() for _ in range(2)]  # whose fit is whose can't be known
        for trial in several:
            study.tell(trial, fit(trial))
        fit(optuna.trial.FixedTrial({"C": 0.5}))  # no trial waits
    roots = store.runs("parent is None", sort="id")
    assert [run.tags["integration"] for run in roots] == ["optuna", "sklearn"]
    assert sorted(run.tags["integration"] for run in roots[0].children) == ["optuna"] * 3 + ["sklearn"]
    assert [len(run.children) for run in store.runs("tags.trial != None", sort="id")] == [1, 0, 1]


def test_a_study_within_a_fit_is_a_part_of_it(store: Store) -> None:
    from sklearn.base import BaseEstimator

    class Tuned(BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any = None) -> "Tuned":
            optuna.create_study().optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
            return self

    with runlore.autolog("optuna", "sklearn"):
        Tuned().fit([[1.0]])
    assert depths(store) == [["sklearn"]]


def test_the_callbacks_options_are_those_of_the_study(store: Store, tmp_path: Path) -> None:
    with runlore.autolog("optuna"):
        optuna.create_study().optimize(
            lambda trial: trial.suggest_float("x", 0, 1), 1,
            callbacks=[RunloreCallback("mine", experiment="e", tags={"team": "a"}, store=tmp_path / "other")],
        )  # fmt: skip
    study, trial = runlore.open_store(tmp_path / "other").runs(sort="id")
    assert (study.name, study.experiment, study.tags["team"], trial.experiment) == ("mine", "e", "a", "e")
    assert len(store.runs()) == 0
    with pytest.raises(TypeError, match="tags is 'a'"):
        RunloreCallback(tags="a")  # type: ignore[arg-type]
