"""What is recorded of `xgboost.train` and `xgboost.cv`: points, params, data, the end, files."""

import csv
import gc
import math
import pickle
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

import runlore
from runlore import Store
from runlore_xgboost import RunloreCallback, _framework
from tests.xgboost.models import PARAMS, matrix, only, rows, train, when

EarlyStopping = xgboost.callback.EarlyStopping


# Points


@pytest.mark.shows("xgboost", "metrics")
def test_each_set_and_metric_has_a_point_at_each_iteration(store: Store) -> None:
    result: Any = {}
    train(RunloreCallback(), params={**PARAMS, "eval_metric": ["logloss", "auc"]}, evals_result=result)
    run = only(store)
    assert set(run.metrics) == {"train/logloss", "train/auc", "held_out/logloss", "held_out/auc"}
    for name, metrics in result.items():
        for metric, values in metrics.items():
            series = run.metrics[f"{name}/{metric}"]
            assert (series.steps.tolist(), series.values.tolist()) == ([0, 1, 2, 3, 4], values)


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_sets_of_one_name_are_kept_apart(store: Store, how: str) -> None:
    """xgboost itself puts their numbers into one list."""
    evals, told = [(matrix(), "set"), (matrix(40, 2), "set")], {}  # type: ignore[var-annotated]
    with runlore.autolog("xgboost") if how == "autolog" else nullcontext():
        train(*([RunloreCallback()] if how == "callback" else []), evals=evals, evals_result=told)
    run, values = only(store), told["set"]["logloss"]
    assert run.metrics["set/logloss"].values.tolist() == values[::2]
    assert run.metrics["set_1/logloss"].values.tolist() == values[1::2]
    assert (run.data["set"]["shape"], run.data["set_1"]["shape"]) == ([80, 3], [40, 3])


@pytest.mark.shows("xgboost", "early stopping")
def test_early_stopping_tells_the_best_iteration_and_why(store: Store) -> None:
    result: Any = {}
    booster = train(RunloreCallback(), rounds=200, early_stopping_rounds=3, evals_result=result)
    run, done = only(store), len(result["held_out"]["logloss"])
    assert run.summary == {"best_iteration": booster.best_iteration, "best_score": booster.best_score}
    assert run.tags["stopped"] == f"step {done - 1}: no better held_out/logloss in 3 iterations"
    assert run.params["callbacks.EarlyStopping.rounds"] == 3


def test_a_model_that_is_cut_to_its_best_iteration_is_known(store: Store, tmp_path: Path) -> None:
    """What is returned is another booster than the one that was trained."""
    booster = train(RunloreCallback(), EarlyStopping(rounds=3, save_best=True), rounds=200)
    booster.save_model(tmp_path / "best.ubj")
    (kept,) = [item for item in only(store).artifacts if item.name == "best.ubj"]
    assert (kept.kind, kept.step, kept.stored) == ("model", booster.best_iteration, True)


def test_a_callback_may_end_a_training(store: Store) -> None:
    train(RunloreCallback(), when(1, lambda model: True))
    assert only(store).tags["stopped"] == "step 1: a callback has ended it"


def test_nan_is_recorded_as_itself(store: Store) -> None:
    train(RunloreCallback(), custom_metric=lambda predicted, data: ("odd", math.nan))
    assert np.isnan(only(store).metrics["train/odd"].values).all()


def test_a_training_without_evals_says_what_is_missing(store: Store) -> None:
    train(RunloreCallback(), evals=None)
    run = only(store)
    assert (run.status, dict(run.metrics)) == ("finished", {})
    assert [item["what"] for item in run.missing] == ["metrics"]


# Cross-validation


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_a_cross_validation_is_a_run_with_its_folds_below(store: Store, how: str) -> None:
    plain = cross_validate()
    if how == "callback":
        table = cross_validate(RunloreCallback("cv"))
    else:
        with runlore.autolog("xgboost"):
            table = cross_validate()
    assert table.equals(plain)
    run = store.runs("parent is None")[0]
    assert run.tags["method"] == "cv"
    for name in table.columns:
        key = name.replace("-", "/", 1)
        assert run.metrics[key].values.tolist()[: len(table)] == table[name].tolist()
    assert run.summary["best_iteration"] == len(table) - 1
    assert run.params["cv.nfold"] == 3
    assert [fold.status for fold in run.children] == ["finished"] * 3
    folds = np.array([fold.metrics["test/logloss"].values for fold in run.children])
    assert folds.mean(0) == pytest.approx(run.metrics["test/logloss-mean"].values)


def cross_validate(*callbacks: Any) -> Any:
    return xgboost.cv(
        PARAMS, matrix(), 40, nfold=3, metrics=["auc", "logloss"], early_stopping_rounds=2, callbacks=list(callbacks)
    )


# Params


@pytest.mark.shows("xgboost", "params")
def test_params_are_the_users_and_what_the_booster_made_of_them(store: Store) -> None:
    train(RunloreCallback(), params=[*PARAMS.items(), ("eval_metric", "error"), ("eval_metric", "auc"), ("alpha", 0.5)])
    run = only(store)
    passed = {name: value for name, value in run.params.items() if name not in run.captured}
    assert passed == {**PARAMS, "eval_metric": ["error", "auc"], "alpha": 0.5, "num_boost_round": 5}
    assert (run.params["reg_lambda"], run.params["subsample"], run.params["booster"]) == (1, 1, "gbtree")
    assert not {"learning_rate", "reg_alpha"} & set(run.params), "told already, by another name"
    assert run.params["base_score"] == pytest.approx(float(rows()[1].mean()), abs=1e-6)


def test_functions_are_recorded_by_name(store: Store) -> None:
    def squared(predicted: Any, data: Any) -> Any:
        return predicted - data.get_label(), np.ones(len(predicted))

    def distance(predicted: Any, data: Any) -> Any:
        return "distance", float(abs(predicted - data.get_label()).mean())

    train(RunloreCallback(), obj=squared, custom_metric=distance)
    run = only(store)
    assert run.params["obj"].endswith("squared")
    assert run.params["custom_metric"].endswith("distance")
    assert run.metrics["held_out/distance"].count == 5


# Data


@pytest.mark.shows("xgboost", "data")
def test_matrices_are_described_by_what_they_hold(store: Store) -> None:
    train(RunloreCallback())
    run, (x, y) = only(store), rows()
    assert set(run.data) == {"dtrain", "dtrain_y", "held_out", "held_out_y"}
    with store.start_run("known") as known:
        same = known.log_data("x", x)
    assert (run.data["dtrain"]["fingerprint"], run.data["dtrain"]["shape"]) == (same, [80, 3])
    assert run.data["dtrain_y"]["shape"] == [len(y)]


def test_names_and_weights_of_a_matrix_are_recorded(store: Store) -> None:
    x, y = rows()
    data = xgboost.QuantileDMatrix(x, y, weight=np.ones(80), feature_names=["a", "b", "c"])
    xgboost.train(PARAMS, data, 2, evals=[(data, "train")], verbose_eval=False, callbacks=[RunloreCallback()])
    found = only(store).data
    assert found["dtrain"]["columns"] == ["a", "b", "c"]
    assert found["dtrain"]["content"] == "quantised"
    assert found["dtrain_weight"]["shape"] == [80]


def test_groups_bounds_and_margins_are_data(store: Store) -> None:
    x, y = rows()
    ranked = xgboost.DMatrix(x, y, group=[30, 50], base_margin=np.zeros(80))
    bounded = xgboost.DMatrix(x, label_lower_bound=np.ones(80), label_upper_bound=np.full(80, 2.0))
    for name, objective, data in (("ranked", "rank:pairwise", ranked), ("bounded", "survival:aft", bounded)):
        xgboost.train({"objective": objective, "nthread": 1}, data, 2, callbacks=[RunloreCallback(name)])
    found = {name: set(store.run(name).data) for name in ("ranked", "bounded")}
    assert found["ranked"] == {"dtrain", "dtrain_y", "dtrain_group", "dtrain_base_margin"}
    assert found["bounded"] == {"dtrain", "dtrain_label_lower_bound", "dtrain_label_upper_bound"}
    with store.start_run("known") as known:
        assert store.run("ranked").data["dtrain_group"]["fingerprint"] == known.log_data(
            "group", np.array([30, 50], dtype=np.uint32)
        )


def test_of_a_large_matrix_some_rows_are_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runlore_xgboost._data.MAX_ENTRIES", 96)
    train(RunloreCallback())
    found = only(store).data["dtrain"]
    assert (found["shape"], found["sampled_rows"], "fingerprint" in found) == ([80, 3], 32, False)
    assert len(found["sample"]) == 64


def test_an_iterator_is_not_read_for_the_record(store: Store, tmp_path: Path) -> None:
    class Batches(xgboost.DataIter):  # type: ignore[misc]
        def __init__(self) -> None:
            self.place = self.reads = 0
            super().__init__(cache_prefix=str(tmp_path / "cache"))

        def reset(self) -> None:
            self.place = 0

        def next(self, input_data: Any) -> bool:
            if self.place == 2:
                return False
            x, y = rows(seed=self.place)
            input_data(data=x, label=y)
            self.place += 1
            self.reads += 1
            return True

    batches = Batches()
    data = xgboost.DMatrix(batches)
    before = batches.reads
    plain = xgboost.train({**PARAMS, "tree_method": "hist"}, data, 2)
    plainly = batches.reads - before
    recorded = xgboost.train({**PARAMS, "tree_method": "hist"}, data, 2, callbacks=[RunloreCallback()])
    assert batches.reads - before == 2 * plainly
    assert recorded.save_raw() == plain.save_raw()
    found = only(store).data["dtrain"]
    assert (found["shape"], "fingerprint" in found) == ([160, 3], False)


# Importances


def test_importances_are_a_table(store: Store, tmp_path: Path) -> None:
    booster = train(RunloreCallback())
    (table,) = [item for item in only(store).artifacts if item.name == "feature_importance.csv"]
    read = list(csv.DictReader(table.restore(tmp_path / "out").open()))
    for kind in ("weight", "gain", "cover"):
        assert {row["feature"]: float(row[kind]) for row in read} == booster.get_score(importance_type=kind)


def test_a_linear_booster_has_weights_only(store: Store, tmp_path: Path) -> None:
    train(RunloreCallback(), params={"booster": "gblinear", "nthread": 1})
    (table,) = [item for item in only(store).artifacts if item.name == "feature_importance.csv"]
    assert table.restore(tmp_path / "out").read_text().splitlines()[0] == "feature,weight"


# Ends


def test_an_objective_that_raises_makes_a_failed_run(store: Store) -> None:
    error = ZeroDivisionError("in the objective")

    def objective(predicted: Any, data: Any) -> Any:
        raise error

    with pytest.raises(ZeroDivisionError) as caught:
        train(RunloreCallback(), obj=objective)
    assert caught.value is error
    run = only(store)
    assert (run.status, run.error["type"], run.error["message"]) == ("failed", "ZeroDivisionError", "in the objective")


REFUSED = [{"objective": "no such"}, {"max_depth": "deep"}, {"monotone_constraints": {"z": 1}}]


@pytest.mark.parametrize("params", REFUSED)
def test_params_that_are_refused_make_a_failed_run(store: Store, params: Any) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # xgboost's own
        train(RunloreCallback(), params=params)
    run = only(store)
    assert (run.status, run.error["type"].rpartition(".")[2]) == ("failed", type(caught.value).__name__)
    assert {name.partition(".")[0] for name in run.params} >= set(params)
    assert "dtrain" in run.data


def test_a_failed_call_is_recorded_once(store: Store) -> None:
    with runlore.autolog("xgboost"), pytest.raises(TypeError):
        xgboost.train(PARAMS, "no matrix", 3)
    assert only(store).status == "failed"


# Names that were imported before


def test_a_function_that_was_imported_by_name_is_recorded(store: Store) -> None:
    """And its failure, whose exception goes by nothing of ours."""
    by_name = _original(xgboost.training.train)
    data = matrix()
    with runlore.autolog("xgboost"):
        by_name(PARAMS, data, 4, evals=[(data, "train")], verbose_eval=False)
        with pytest.raises(ValueError, match="midway"):
            by_name(PARAMS, data, 4, evals=[(data, "train")], verbose_eval=False, callbacks=[when(1, _fail)])
    failed, finished = store.runs()
    assert (finished.status, finished.metrics["train/logloss"].count) == ("finished", 4)
    assert (finished.params["num_boost_round"], finished.params["eta"]) == (4, 0.5)
    assert (failed.status, (failed.error or {})["message"]) == ("failed", "midway")


def test_one_that_an_objective_leaves_reads_failed_once_it_is_gone(store: Store) -> None:
    by_name = _original(xgboost.training.train)

    def objective(predicted: Any, data: Any) -> Any:
        raise ValueError("in the objective")

    with runlore.autolog("xgboost"), suppress(ValueError):
        by_name(PARAMS, matrix(), 4, obj=objective)
    gc.collect()
    assert only(store).status == "failed"


def _original(function: Any) -> Any:
    """Return a function as somebody has it who imported it before xgboost was wrapped."""
    while function.__code__.co_filename != xgboost.core.__file__:
        function = function.__wrapped__
    return function


def _fail(model: Any) -> None:
    raise ValueError("midway")


def test_another_version_is_told_of_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_framework, "TESTED", ("2.1",))
    with pytest.warns(runlore.errors.RunloreWarning, match="xgboost 3"):
        _framework.check_version()


# Files


@pytest.mark.shows("xgboost", "checkpoints")
def test_models_of_a_checkpoint_callback_are_recorded(store: Store, tmp_path: Path) -> None:
    saving = xgboost.callback.TrainingCheckPoint(tmp_path, interval=2)
    train(RunloreCallback(), saving, rounds=7)
    found = {item.name: item for item in only(store).artifacts if item.kind == "checkpoint"}
    assert {name: item.step for name, item in found.items()} == {"model_2.ubj": 2, "model_4.ubj": 4, "model_6.ubj": 6}
    assert found["model_6.ubj"].roles == ("last",)
    assert found["model_6.ubj"].stored


def test_pickled_models_are_recorded_where_they_are_written(store: Store, tmp_path: Path) -> None:
    (tmp_path / "model_1.pkl").write_bytes(b"of an earlier training")
    train(RunloreCallback(), xgboost.callback.TrainingCheckPoint(tmp_path, as_pickle=True, interval=2), rounds=4)
    found = [(item.name, item.step) for item in only(store).artifacts if item.kind == "checkpoint"]
    assert found == [("model_2.pkl", 2)]
    assert pickle.loads((tmp_path / "model_2.pkl").read_bytes()).num_boosted_rounds() == 3


def test_a_model_that_was_trained_on_is_of_no_run(store: Store, tmp_path: Path) -> None:
    booster = train(RunloreCallback())
    booster.update(matrix(), 5)
    booster.save_model(tmp_path / "later.ubj")
    assert "later.ubj" not in {item.name for item in only(store).artifacts}


def test_a_list_of_callbacks_stays_as_it_is(store: Store) -> None:
    callbacks = [RunloreCallback(tags={"team": "vision"}), when(1, lambda model: False)]
    before = list(callbacks)
    for _ in range(2):
        xgboost.train(PARAMS, matrix(), 2, callbacks=callbacks)
    assert callbacks == before
    assert [run.tags["team"] for run in store.runs()] == ["vision"] * 2


def test_a_callback_is_copied_and_pickled(store: Store) -> None:
    callback = pickle.loads(pickle.dumps(RunloreCallback("named", tags={"a": "b"})))
    train(callback)
    assert only(store).name == "named"


def test_a_saved_model_holds_nothing_of_runlore(store: Store, tmp_path: Path) -> None:
    model = xgboost.XGBClassifier(n_estimators=2, callbacks=[RunloreCallback()]).fit(*rows())
    model.save_model(tmp_path / "model.json")
    assert b"runlore" not in (tmp_path / "model.json").read_bytes()


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_a_scheduled_learning_rate_is_a_curve(store: Store, booster: str) -> None:
    schedule = xgboost.callback.LearningRateScheduler(lambda number: 0.5 ** (number + 2))
    train(RunloreCallback(), schedule, params={**PARAMS, "booster": booster}, rounds=3)
    rates = only(store).metrics["learning_rate"]
    assert (rates.steps.tolist(), rates.values.tolist()) == ([0, 1, 2], [0.5, 0.25, 0.125])
