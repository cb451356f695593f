"""Trainings of the kind that xgboost's documentation shows: recorded whole, and the same to the last bit."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

import runlore
from runlore import Store
from runlore_xgboost import RunloreCallback
from tests.xgboost.models import PARAMS, matrix, rows

Example = Callable[[list[Any], Path], Any]


def binary(callbacks: list[Any], folder: Path) -> Any:
    """Two sets that are watched, a model that is saved, loaded, and predicts."""
    train, test = matrix(), matrix(40, 2)
    booster = xgboost.train(
        {**PARAMS, "eval_metric": ["logloss", "error"]}, train, 6, evals=[(test, "eval"), (train, "train")],
        verbose_eval=False, callbacks=callbacks,
    )  # fmt: skip
    booster.save_model(folder / "model.json")
    loaded = xgboost.Booster(model_file=folder / "model.json")
    return booster.save_raw("json"), loaded.predict(test).tolist()


def multiclass(callbacks: list[Any], folder: Path) -> Any:
    """A softmax over classes, whose rates are set for each iteration."""
    x, _ = rows()
    data = xgboost.DMatrix(x, np.digitize(x[:, 0], [-0.5, 0.5]))
    rates = xgboost.callback.LearningRateScheduler(lambda epoch: 0.5 * 0.9**epoch)
    booster = xgboost.train(
        {"objective": "multi:softprob", "num_class": 3, "max_depth": 2, "nthread": 1}, data, 5,
        evals=[(data, "train")], verbose_eval=False, callbacks=[*callbacks, rates],
    )  # fmt: skip
    return booster.save_raw("json"), booster.predict(data).tolist()


def custom(callbacks: list[Any], folder: Path) -> Any:
    """The squared logarithmic error as an objective and a metric of the user's own."""
    x, _ = rows()
    data = xgboost.DMatrix(x, np.abs(x).sum(1))

    def squared_log(predicted: Any, data: Any) -> Any:
        predicted[predicted < -1] = -1 + 1e-6
        distance = np.log1p(predicted) - np.log1p(data.get_label())
        return distance / (predicted + 1), (1 - distance) / (predicted + 1) ** 2

    def rmsle(predicted: Any, data: Any) -> Any:
        predicted[predicted < -1] = -1 + 1e-6
        return "RMSLE", float(np.sqrt(np.mean((np.log1p(data.get_label()) - np.log1p(predicted)) ** 2)))

    result: Any = {}
    booster = xgboost.train(
        {"tree_method": "hist", "seed": 1994, "disable_default_eval_metric": 1, "nthread": 1}, data, 5,
        obj=squared_log, custom_metric=rmsle, evals=[(data, "dtrain")], evals_result=result, verbose_eval=False,
        callbacks=callbacks,
    )  # fmt: skip
    return booster.save_raw("json"), result


def validated(callbacks: list[Any], folder: Path) -> Any:
    """A cross-validation with a function that prepares each fold."""

    def balance(train: Any, test: Any, params: Any) -> Any:
        label = train.get_label()
        return train, test, {**params, "scale_pos_weight": float(np.sum(label == 0)) / np.sum(label == 1)}

    table = xgboost.cv(
        PARAMS, matrix(), 5, nfold=4, metrics=["auc"], seed=3, stratified=True, fpreproc=balance, callbacks=callbacks
    )
    return table.to_dict()


def stopped_early(callbacks: list[Any], folder: Path) -> Any:
    """An estimator with early stopping that keeps the best iterations only, and predicts."""
    stop = xgboost.callback.EarlyStopping(rounds=2, save_best=True, min_delta=1e-3)
    model = xgboost.XGBClassifier(
        n_estimators=50, tree_method="hist", subsample=0.8, random_state=7, n_jobs=1, callbacks=[*callbacks, stop]
    )
    x, y = rows()
    model.fit(x, y, eval_set=[rows(40, 2)], verbose=False)
    return model.get_booster().save_raw("json"), model.predict_proba(x).tolist(), model.best_iteration


def continued(callbacks: list[Any], folder: Path) -> Any:
    """A second training that goes on from the first one's file."""
    data = matrix()
    settings: Any = {"evals": [(data, "train")], "verbose_eval": False}
    xgboost.train(PARAMS, data, 3, **settings, callbacks=callbacks).save_model(folder / "first.ubj")
    second = xgboost.train(PARAMS, data, 3, **settings, callbacks=callbacks, xgb_model=str(folder / "first.ubj"))
    return second.save_raw("json")


def in_batches(callbacks: list[Any], folder: Path) -> Any:
    """A quantised matrix that is made of batches, and one of the same bins."""
    x, y = rows()

    class Batches(xgboost.DataIter):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.place = 0

        def next(self, input_data: Any) -> bool:
            part = slice(self.place, self.place + 40)
            self.place += 40
            if part.start < len(x):
                input_data(data=x[part], label=y[part])
            return bool(part.start < len(x))

        def reset(self) -> None:
            self.place = 0

    train = xgboost.QuantileDMatrix(Batches(), max_bin=16)
    test = xgboost.QuantileDMatrix(*rows(40, 2), ref=train, max_bin=16)
    params = {**PARAMS, "tree_method": "hist", "max_bin": 16}
    evals = [(train, "train"), (test, "test")]
    return xgboost.train(params, train, 4, evals=evals, verbose_eval=False, callbacks=callbacks).save_raw("json")


def ranked(callbacks: list[Any], folder: Path) -> Any:
    """An estimator that ranks within queries, by pairs that it is told to sample."""
    x, _ = rows()
    grades, queries = np.digitize(x[:, 0], [-1, 0, 1]), np.repeat([0, 1], 40)
    model = xgboost.XGBRanker(
        n_estimators=4, tree_method="hist", eval_metric=["ndcg@3", "map@3-"], n_jobs=1, callbacks=callbacks,
        lambdarank_pair_method="topk", lambdarank_num_pair_per_sample=4, ndcg_exp_gain=False,
    )  # fmt: skip
    model.fit(x, grades > 1, qid=queries, eval_set=[(x, grades > 1)], eval_qid=[queries], verbose=False)
    return model.get_booster().save_raw("json"), model.predict(x).tolist(), model.evals_result()


EXAMPLES = [binary, multiclass, custom, validated, stopped_early, continued, in_batches, ranked]


@pytest.mark.parametrize("how", ["callback", "autolog"])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_an_example_is_recorded_whole_and_is_the_same(example: Example, how: str, store: Store, tmp_path: Path) -> None:
    plain = example([], tmp_path)
    with runlore.autolog("xgboost") if how == "autolog" else nullcontext():
        recorded = example([RunloreCallback()] if how == "callback" else [], tmp_path)
    assert recorded == plain
    runs = store.runs("parent is None")
    assert len(runs) == (2 if example is continued else 1)
    for run in runs:
        assert (run.status, run.error, run.missing) == ("finished", None, [])
        assert min(series.count for series in run.metrics.values()) >= 3
        assert "booster" in run.params
        assert ("obj" if example is custom else "objective") in run.params
        assert all(len(found["fingerprint"]) == 64 for found in run.data.values())
        assert example is validated or "feature_importance.csv" in {item.name for item in run.artifacts}
