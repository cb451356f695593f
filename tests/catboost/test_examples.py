"""Trainings of the kind that catboost's documentation shows: recorded whole, and the same to the last bit."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

import runlore
from runlore import Store
from runlore_catboost import RunloreCallback
from tests.catboost.models import PARAMS, rows

Example = Callable[[dict[str, Any], Path], Any]  # is given the arguments of `fit` that name our callback, if any


def categorical(ours: dict[str, Any], folder: Path) -> Any:
    """A table with categories, early stopping, a model that is saved, loaded, and predicts."""
    x, y = rows()
    colours = np.array(["red", "blue", "green"])[np.arange(120) % 3]
    table = pd.DataFrame(x, columns=["a", "b", "c"]).assign(colour=colours)
    model = catboost.CatBoostClassifier(**{**PARAMS, "iterations": 30, "eval_metric": "AUC"})
    model.fit(table[:90], y[:90], ["colour"], eval_set=(table[90:], y[90:]), early_stopping_rounds=5, **ours)
    model.save_model(folder / "model.cbm")
    loaded = catboost.CatBoostClassifier().load_model(folder / "model.cbm")
    return loaded.predict_proba(table).tolist(), model.get_evals_result(), model.best_iteration_


def regression(ours: dict[str, Any], folder: Path) -> Any:
    """Pools with weights, several metrics that are looked at every second iteration, a second eval set."""
    x, _ = rows()
    train = catboost.Pool(x, x.sum(1), weight=np.linspace(0.5, 1, 120))
    sets = [catboost.Pool(x[:40], x[:40].sum(1)), catboost.Pool(x[40:], x[40:].sum(1))]
    model = catboost.CatBoostRegressor(**PARAMS, loss_function="RMSE", custom_metric=["MAE", "R2"], metric_period=2)
    model.fit(train, eval_set=sets, **ours)
    return model.predict(x).tolist(), model.get_evals_result()


class Logloss:
    """An objective of the user's own."""

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Any:
        found = []
        for approx, target in zip(approxes, targets, strict=True):
            probability = 1 / (1 + np.exp(-approx))
            found.append((target - probability, -probability * (1 - probability)))
        return found


class Accuracy:
    """A metric of the user's own."""

    def is_max_optimal(self) -> bool:
        return True

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
        return float(np.sum((np.array(approxes[0]) > 0) == np.array(target))), float(len(target))

    def get_final_error(self, error: float, weight: float) -> float:
        return error / weight


def custom(ours: dict[str, Any], folder: Path) -> Any:
    """An objective and a metric of the user's own."""
    model = catboost.CatBoostClassifier(**PARAMS, loss_function=Logloss(), eval_metric=Accuracy())
    model.fit(*rows(), eval_set=rows(60, 2), **ours)
    return model.predict(rows()[0], prediction_type="RawFormulaVal").tolist(), model.get_evals_result()


def ranked(ours: dict[str, Any], folder: Path) -> Any:
    """A ranking within groups."""
    x, _ = rows()
    pool = catboost.Pool(x, np.digitize(x[:, 0], [-1, 0, 1]), group_id=np.repeat([0, 1, 2], 40))
    model = catboost.CatBoostRanker(**PARAMS, loss_function="YetiRank").fit(pool, eval_set=pool, **ours)
    return model.predict(x).tolist(), model.get_evals_result()


def continued(ours: dict[str, Any], folder: Path) -> Any:
    """A second training that goes on from the first one's file, with a lower rate, and classes of three kinds."""
    x, _ = rows()
    grades = np.digitize(x[:, 0], [-0.5, 0.5])
    settings: Any = {"eval_set": (x, grades), **ours}
    first = catboost.CatBoostClassifier(**PARAMS, loss_function="MultiClass").fit(x, grades, **settings)
    first.save_model(folder / "first.cbm")
    lower = catboost.CatBoostClassifier(**{**PARAMS, "learning_rate": 0.05}, loss_function="MultiClass")
    lower.fit(x, grades, init_model=str(folder / "first.cbm"), **settings)
    return lower.predict_proba(x).tolist(), lower.get_evals_result()


EXAMPLES = [categorical, regression, custom, ranked, continued]


@pytest.mark.parametrize("how", ["callback", "autolog"])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_an_example_is_recorded_whole_and_is_the_same(example: Example, how: str, store: Store, tmp_path: Path) -> None:
    plain = example({}, tmp_path)
    with runlore.autolog("catboost") if how == "autolog" else nullcontext():
        recorded = example({"callbacks": [RunloreCallback()]} if how == "callback" else {}, tmp_path)
    assert recorded == plain
    runs = store.runs("parent is None")
    assert len(runs) == (2 if example is continued else 1)
    for run in runs:
        assert (run.status, run.error, run.missing) == ("finished", None, [])
        assert min(series.count for series in run.metrics.values()) >= 3
        assert {"loss_function", "depth", "border_count"} <= set(run.params)
        assert all(len(found["fingerprint"]) == 64 for found in run.data.values())
        weighed = "feature_importance.csv" in {item.name for item in run.artifacts}
        assert weighed is (example is not ranked), "of a ranking catboost finds it out only when it is asked"
