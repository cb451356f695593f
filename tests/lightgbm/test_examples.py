"""Trainings of the kind that lightgbm's documentation shows: recorded whole, and the same to the last bit."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest

import runlore
from runlore import Store
from runlore_lightgbm import RunloreCallback
from tests.lightgbm.models import PARAMS, datasets, rows

Example = Callable[[list[Any], Path], Any]


def regression(callbacks: list[Any], folder: Path) -> Any:
    """Two metrics, early stopping, a model that is saved, loaded, and predicts."""
    x, _ = rows()
    train = lightgbm.Dataset(x, x.sum(1))
    held_out = lightgbm.Dataset(x[:40], x[:40].sum(1), reference=train)
    params = {**PARAMS, "objective": "regression", "metric": {"l2", "l1"}, "feature_fraction": 0.9, "bagging_freq": 5}
    stop = lightgbm.early_stopping(stopping_rounds=5, verbose=False)
    booster = lightgbm.train(params, train, 20, valid_sets=held_out, callbacks=[*callbacks, stop])
    booster.save_model(folder / "model.txt")
    return booster.model_to_string(), lightgbm.Booster(model_file=folder / "model.txt").predict(x).tolist()


def multiclass(callbacks: list[Any], folder: Path) -> Any:
    """A softmax over classes with a learning rate and a number of leaves that are reset at each iteration."""
    x, _ = rows()
    data = lightgbm.Dataset(x, np.digitize(x[:, 0], [-0.5, 0.5]))
    reset = lightgbm.reset_parameter(learning_rate=lambda iteration: 0.2 * 0.9**iteration, num_leaves=[4] * 3 + [3] * 2)
    booster = lightgbm.train(
        {**PARAMS, "objective": "multiclass", "num_class": 3}, data, 5, valid_sets=[data], callbacks=[*callbacks, reset]
    )
    return booster.model_to_string(), booster.predict(x).tolist()


def custom(callbacks: list[Any], folder: Path) -> Any:
    """A log-likelihood as an objective of the user's own, with two metrics."""

    def loglikelihood(predicted: Any, data: Any) -> Any:
        probability = 1.0 / (1.0 + np.exp(-predicted))
        return probability - data.get_label(), probability * (1.0 - probability)

    def error(predicted: Any, data: Any) -> Any:
        return "error", float(np.mean(data.get_label() != (predicted > 0))), False

    def accuracy(predicted: Any, data: Any) -> Any:
        return "accuracy", float(np.mean(data.get_label() == (predicted > 0))), True

    train, held_out = datasets()
    result: Any = {}
    booster = lightgbm.train(
        {**PARAMS, "objective": loglikelihood, "metric": "None"}, train, 6, valid_sets=[held_out],
        feval=[error, accuracy], callbacks=[*callbacks, lightgbm.record_evaluation(result)],
    )  # fmt: skip
    return booster.model_to_string(), result


def validated(callbacks: list[Any], folder: Path) -> Any:
    """A cross-validation by a function that prepares each fold, with shuffled folds of a seed."""

    def balance(train: Any, test: Any, params: Any) -> Any:
        label = train.construct().get_label()
        return train, test, {**params, "scale_pos_weight": float(np.sum(label == 0)) / np.sum(label == 1)}

    return lightgbm.cv(
        {**PARAMS, "metric": "auc"}, datasets()[0], 5, nfold=4, seed=3, fpreproc=balance, callbacks=callbacks
    )


def ranked(callbacks: list[Any], folder: Path) -> Any:
    """An estimator that ranks within groups."""
    x, _ = rows()
    model = lightgbm.LGBMRanker(n_estimators=5, num_leaves=4, min_child_samples=2, n_jobs=1, verbosity=-1)
    grades = np.digitize(x[:, 0], [-1, 0, 1])
    model.fit(
        x, grades, group=[40, 80], eval_set=[(x, grades)], eval_group=[[40, 80]], eval_at=[3], callbacks=callbacks
    )
    return model.booster_.model_to_string(), model.predict(x).tolist()


def continued(callbacks: list[Any], folder: Path) -> Any:
    """A second training that goes on from the first one's file, with a lower rate."""
    train, held_out = datasets(free_raw_data=False)
    settings: Any = {"valid_sets": [held_out], "callbacks": callbacks}
    lightgbm.train(PARAMS, train, 3, **settings).save_model(folder / "first.txt")
    lower = {**PARAMS, "learning_rate": 0.05}
    return lightgbm.train(lower, train, 3, **settings, init_model=str(folder / "first.txt")).model_to_string()


EXAMPLES = [regression, multiclass, custom, validated, ranked, continued]


@pytest.mark.parametrize("how", ["callback", "autolog"])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_an_example_is_recorded_whole_and_is_the_same(example: Example, how: str, store: Store, tmp_path: Path) -> None:
    plain = example([], tmp_path)
    with runlore.autolog("lightgbm") if how == "autolog" else nullcontext():
        recorded = example([RunloreCallback()] if how == "callback" else [], tmp_path)
    assert recorded == plain
    runs = store.runs("parent is None")
    assert len(runs) == (2 if example is continued else 1)
    for run in runs:
        assert (run.status, run.error, run.missing) == ("finished", None, [])
        assert min(series.count for series in run.metrics.values()) >= 3
        assert {"objective", "num_leaves", "max_bin"} <= set(run.params)
        assert all(len(found["fingerprint"]) == 64 for found in run.data.values())
        assert example is validated or "feature_importance.csv" in {item.name for item in run.artifacts}
