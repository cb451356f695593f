"""What is recorded of fits and of `catboost.cv`: points, params, data, the end, files, snapshots."""

import csv
import pickle
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest

import runlore
from runlore import Store
from runlore.errors import RunloreWarning
from runlore_catboost import RunloreCallback, _framework, _wrapping
from runlore_catboost._metrics import points_of
from tests.catboost.models import PARAMS, When, classifier, only, pools, rows, steps_of, train

# Points


@pytest.mark.shows("catboost", "metrics")
@pytest.mark.parametrize("period", [1, 2])
def test_each_set_and_metric_has_a_point_at_each_iteration(store: Store, period: int) -> None:
    sets = [rows(60, 2), rows(60, 3)]
    model = train(RunloreCallback(), fit={"eval_set": sets}, custom_metric=["AUC"], metric_period=period)
    run = only(store)
    result = model.get_evals_result()
    told = {f"{name}/{metric}": values for name, found in result.items() for metric, values in found.items()}
    assert {"learn/Logloss", "validation_0/AUC", "validation_1/AUC"} <= set(run.metrics) == set(told)
    for name, values in told.items():
        assert (steps_of(run.metrics[name]), run.metrics[name].values.tolist()) == ([0, 1, 2, 3, 4][::period], values)


@pytest.mark.parametrize("how", ["callback", "autolog", "at its end"])
def test_a_fit_that_evaluates_nothing_says_so(store: Store, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = rows()
    model = catboost.CatBoostRanker(iterations=2, verbose=0, allow_writing_files=False, loss_function="YetiRank")
    if how == "at its end":
        monkeypatch.setattr(_wrapping, "MAX_LIVE", 1)
    with runlore.autolog("catboost"):
        model.fit(x, y, group_id=np.repeat([0, 1], 60), **({"callbacks": [RunloreCallback()]} if how[0] == "c" else {}))
    assert [item["what"] for item in only(store).missing] == ["metrics"]


@pytest.mark.parametrize("period", [1, 2, 4])
def test_points_that_are_read_at_the_end_are_those_that_callbacks_are_told(store: Store, period: int) -> None:
    """Where catboost calls no callbacks, as on a GPU, or where it takes too long."""
    iterations = 6
    live = train(RunloreCallback(), metric_period=period, iterations=iterations)
    run = only(store)
    told: dict[str, list[Any]] = {}
    for step, numbers in points_of(live.get_evals_result(), period, iterations):
        for name, value in numbers.items():
            told.setdefault(name, []).append((step, value))
    recorded = {
        name: list(zip(steps_of(series), series.values.tolist(), strict=True)) for name, series in run.metrics.items()
    }
    assert recorded == told


@pytest.mark.parametrize("fails", [False, True])
def test_a_long_fit_under_autolog_is_told_at_its_end(
    store: Store, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr(_wrapping, "MAX_LIVE", 4)
    with runlore.autolog("catboost"):
        if fails:
            with pytest.raises(catboost.CatBoostError):
                train(loss_function="no such")
        else:
            model = train()
    run = only(store)
    if fails:
        assert [item["what"] for item in run.missing] == ["metrics"]
    else:
        assert run.metrics["validation/Logloss"].values.tolist() == model.evals_result_["validation"]["Logloss"]


@pytest.mark.shows("catboost", "early stopping")
def test_early_stopping_tells_the_best_iteration_and_why(store: Store) -> None:
    model = train(RunloreCallback(), fit={"early_stopping_rounds": 3}, iterations=300)
    run = only(store)
    best = {
        f"best_score.{name}.{metric}": value
        for name, found in model.best_score_.items()
        for metric, value in found.items()
    }
    assert run.summary == {"best_iteration": model.best_iteration_, **best}
    assert run.tags["stopped"] == f"step {model.best_iteration_ + 3}: no better score in 3 iterations"
    assert run.params["early_stopping_rounds"] == 3


def test_a_callback_may_end_a_training(store: Store) -> None:
    train(RunloreCallback(), When(2, lambda: False))
    run = only(store)
    assert (run.status, run.tags["stopped"]) == ("finished", "step 1: a callback has ended it")


def test_the_overfitting_detector_may_end_a_training(store: Store) -> None:
    train(RunloreCallback(), od_type="IncToDec", od_pval=0.9, od_wait=2, iterations=300)
    assert only(store).tags["stopped"].endswith("the overfitting detector has ended it")


# Cross-validation


@pytest.mark.parametrize("files", [True, False])
def test_a_cross_validation_is_a_run_with_its_folds_below(store: Store, tmp_path: Path, files: bool) -> None:
    params = {**PARAMS, "loss_function": "Logloss", "allow_writing_files": files, "train_dir": str(tmp_path / "info")}
    plain = catboost.cv(pools()[0], params, fold_count=3, as_pandas=False)
    with runlore.autolog("catboost"):
        table = catboost.cv(pools()[0], params, fold_count=3)
    assert table.to_dict("list") == plain
    run = store.runs("parent is None")[0]
    assert (run.tags["method"], run.params["cv.fold_count"], run.params["depth"]) == ("cv", 3, 2)
    assert run.metrics["test/Logloss-mean"].values.tolist() == plain["test-Logloss-mean"]
    assert steps_of(run.metrics["train/Logloss-std"]) == plain["iterations"]
    folds = [child.metrics["test/Logloss"].values for child in run.children]
    assert len(folds) == (3 if files else 0)
    if files:
        assert np.mean(folds, axis=0) == pytest.approx(plain["test-Logloss-mean"])


def test_folds_have_the_steps_that_were_evaluated(store: Store, tmp_path: Path) -> None:
    files = {"allow_writing_files": True, "train_dir": str(tmp_path / "info"), "loss_function": "Logloss"}
    with runlore.autolog("catboost"):
        catboost.cv(pools()[0], {**PARAMS, **files, "metric_period": 2}, fold_count=2)
    assert [steps_of(fold.metrics["test/Logloss"]) for fold in store.runs("parent != None")] == [[0, 2, 4]] * 2


def test_a_cross_validation_that_is_refused_makes_a_failed_run(store: Store) -> None:
    with runlore.autolog("catboost"), pytest.raises(catboost.CatBoostError, match="loss_function"):
        catboost.cv(pools()[0], PARAMS)
    assert only(store).status == "failed"


# Params


@pytest.mark.shows("catboost", "params")
def test_params_are_the_users_and_what_the_model_made_of_them(store: Store) -> None:
    model = catboost.CatBoostClassifier(n_estimators=4, eta=0.25, reg_lambda=2, verbose=0, allow_writing_files=False)
    model.fit(*rows(), callbacks=[RunloreCallback()])
    run = only(store)
    passed = {name: value for name, value in run.params.items() if name not in run.captured}
    assert passed == {"n_estimators": 4, "eta": 0.25, "reg_lambda": 2, "verbose": 0, "allow_writing_files": False}
    assert (run.params["bayesian_matrix_reg"], run.params["depth"]) == (0.1, 6)
    assert not {"iterations", "learning_rate", "l2_leaf_reg"} & set(run.params), "told already, by another name"


def test_what_train_was_given_is_recorded(store: Store) -> None:
    train_pool, test_pool = pools()
    with runlore.autolog("catboost"):
        catboost.train(train_pool, {**PARAMS, "loss_function": "Logloss"}, eval_set=test_pool, num_boost_round=3)
    run = only(store)
    assert (run.params["iterations"], run.params["depth"], run.tags["estimator"]) == (3, 2, "CatBoost")
    assert steps_of(run.metrics["validation/Logloss"]) == [0, 1, 2]


# Importances


def test_importances_are_a_table(store: Store, tmp_path: Path) -> None:
    model = train(RunloreCallback())
    (table,) = [item for item in only(store).artifacts if item.name == "feature_importance.csv"]
    read = {row["feature"]: float(row["importance"]) for row in csv.DictReader(table.restore(tmp_path / "out").open())}
    told = dict(zip(model.feature_names_, model.get_feature_importance().tolist(), strict=True))
    assert read == {name: value for name, value in told.items() if value}


# Ends


@pytest.mark.parametrize("params", [{"loss_function": "no such"}, {"depth": 99}, {"iterations": 0}])
def test_params_that_are_refused_make_a_failed_run(store: Store, params: Any) -> None:
    with pytest.raises(catboost.CatBoostError):
        train(RunloreCallback(), **params)
    run = only(store)
    assert (run.status, run.error["type"].rpartition(".")[2]) == ("failed", "CatBoostError")
    assert set(params) <= set(run.params)
    assert "X" in run.data


def test_an_objective_that_raises_makes_a_failed_run_that_tells_its_exception(store: Store) -> None:
    """Which catboost tells in the text of its own only."""

    class Objective:
        def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Any:
            raise ZeroDivisionError("in the objective")

    with pytest.raises(catboost.CatBoostError, match="ZeroDivisionError: in the objective"):
        train(RunloreCallback(), loss_function=Objective(), eval_metric="Logloss")
    run = only(store)
    assert (run.status, run.error["type"], run.error["message"]) == ("failed", "ZeroDivisionError", "in the objective")
    assert run.params["loss_function"].endswith("Objective")


def test_an_exception_that_was_handled_before_is_not_taken_for_the_cause(store: Store) -> None:
    try:
        raise KeyError("a fallback follows")
    except KeyError:
        with pytest.raises(catboost.CatBoostError):
            train(RunloreCallback(), depth=99)
    assert only(store).error["type"].rpartition(".")[2] == "CatBoostError"


def test_a_call_that_is_wrong_fails_as_without_us(store: Store) -> None:
    with runlore.autolog("catboost"), pytest.raises(TypeError):
        classifier().fit(*rows(), no_such=7)
    assert len(store.runs()) == 0


def test_on_a_gpu_our_callback_is_no_reason_to_refuse(store: Store) -> None:
    """Where there is none, catboost says that; with callbacks of the user's it says that it takes none."""
    with pytest.raises(catboost.CatBoostError) as ours:
        train(RunloreCallback(), task_type="GPU")
    assert "callbacks" not in str(ours.value)
    with pytest.raises(catboost.CatBoostError, match="not supported for GPU"):
        train(RunloreCallback(), When(1, lambda: True), task_type="GPU")
    assert [run.status for run in store.runs()] == ["failed", "failed"]


def test_a_callback_says_where_it_can_record_nothing(store: Store) -> None:
    """`fit` was looked up before anything of ours was."""
    fit = catboost.CatBoostClassifier.fit
    while fit.__code__.co_filename != catboost.core.__file__:
        fit = fit.__wrapped__
    with pytest.warns(RunloreWarning, match="import runlore_catboost before"):
        fit(classifier(), *rows(), callbacks=[RunloreCallback()])
    assert len(store.runs()) == 0


def test_another_version_is_told_of_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_framework, "TESTED", ("0.9",))
    with pytest.warns(RunloreWarning, match="catboost 1"):
        _framework.check_version()


# Files


def test_a_saved_model_is_added_to_its_run(store: Store, tmp_path: Path) -> None:
    model = train(RunloreCallback())
    model.save_model(tmp_path / "model.cbm")
    model.save_model(str(tmp_path / "model.json"), format="json")
    found = {item.name: item.step for item in only(store).artifacts if item.kind == "model"}
    assert found == {"model.cbm": model.tree_count_ - 1, "model.json": model.tree_count_ - 1}
    assert b"runlore" not in (tmp_path / "model.cbm").read_bytes()


def test_a_model_that_was_fitted_again_unseen_is_of_no_run(store: Store, tmp_path: Path) -> None:
    model = train(RunloreCallback())
    model.fit(*rows(80))
    model.save_model(tmp_path / "later.cbm")
    assert "later.cbm" not in {item.name for item in only(store).artifacts}


# Going on


@pytest.mark.shows("catboost", "resume as lineage")
@pytest.mark.parametrize("by", ["model", "path", "loaded", "copy", "pickled"])
def test_a_training_that_goes_on_from_a_model_is_lineage(store: Store, tmp_path: Path, by: str) -> None:
    path = tmp_path / "model.cbm"
    first = train(RunloreCallback(), use_best_model=False)
    first.save_model(path)
    loaded = catboost.CatBoostClassifier().load_model(path)
    ways = {"model": first, "path": str(path), "loaded": loaded, "copy": first.copy()}
    start = {**ways, "pickled": pickle.loads(pickle.dumps(first))}[by]
    model = train(RunloreCallback(), fit={"init_model": start}, iterations=3)
    second, before = store.runs()
    assert second.links == [{"kind": "resumed_from", "run": before.id, "step": 4}]
    assert steps_of(second.metrics["validation/Logloss"]) == [5, 6, 7]
    assert second.summary["best_iteration"] == 5 + model.best_iteration_


def test_a_second_fit_is_linked_to_the_first(store: Store) -> None:
    model = train(RunloreCallback())
    model.fit(*rows(), callbacks=[RunloreCallback()])
    second, first = store.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]


# Snapshots


def snapshots(folder: Path, iterations: int, *callbacks: Any, stop: int = 0) -> Any:
    def end() -> bool:
        raise ZeroDivisionError("out of memory")

    settings = {"save_snapshot": True, "snapshot_file": str(folder / "snapshot"), "snapshot_interval": 0}
    params = {"allow_writing_files": True, "train_dir": str(folder / "info"), "iterations": iterations, **settings}
    return train(RunloreCallback(), *callbacks, When(stop, end), **params)


@pytest.mark.shows("catboost", "checkpoints")
def test_a_training_that_failed_goes_on_from_its_snapshot_as_the_same_run(store: Store, tmp_path: Path) -> None:
    with pytest.raises(catboost.CatBoostError):
        snapshots(tmp_path, 200, stop=105)
    saved = {item.step for item in only(store).artifacts if item.kind == "checkpoint"}
    seen: list[int] = []

    class Seen:
        def after_iteration(self, info: Any) -> bool:
            seen.append(info.iteration - 1)
            return True

    snapshots(tmp_path, 200, Seen())
    run = only(store)
    assert saved
    assert seen[0] - 1 in saved, "the snapshot was recorded with the iterations that it holds"
    assert run.status == "finished"
    assert steps_of(run.metrics["validation/Logloss"]) == list(range(200))


def test_a_snapshot_that_holds_all_is_told(store: Store, tmp_path: Path) -> None:
    for _ in range(2):
        snapshots(tmp_path, 5)
    second, first = store.runs()
    assert second.links == [{"kind": "resumed_from", "run": first.id, "step": 4}]
    assert second.tags["stopped"] == "the snapshot held all iterations"


# The user's own


def test_a_list_of_callbacks_stays_as_it_is(store: Store) -> None:
    callbacks = [When(9, lambda: True)]
    with runlore.autolog("catboost"):
        classifier().fit(*rows(), callbacks=callbacks)
    assert len(callbacks) == 1


def test_a_callback_is_pickled(store: Store) -> None:
    train(pickle.loads(pickle.dumps(RunloreCallback("named", tags={"team": "vision"}))))
    assert (only(store).name, only(store).tags["team"]) == ("named", "vision")


def test_a_copy_and_a_model_that_was_shrunk_are_of_its_run(store: Store, tmp_path: Path) -> None:
    """Files of them were nobody's."""
    model = train(RunloreCallback())
    copied = model.copy()
    copied.save_model(str(tmp_path / "copied.cbm"))
    model.shrink(2)
    model.save_model(str(tmp_path / "short.cbm"))
    copied.shrink(3, 1)
    copied.save_model(str(tmp_path / "middle.cbm"))
    files = {item.name: item.step for item in only(store).artifacts if item.kind == "model"}
    assert files == {"copied.cbm": 4, "short.cbm": 1}


@pytest.mark.parametrize("arguments", [{}, {"ntree_end": 2}])
def test_a_model_that_can_not_be_shrunk_says_so_itself(
    store: Store, arguments: Any, recwarn: pytest.WarningsRecorder
) -> None:
    """A call without its argument was told to be recorded by less."""

    def refusal() -> tuple[type, str]:
        try:
            catboost.CatBoostClassifier().shrink(**arguments)
        except (TypeError, catboost.CatBoostError) as error:
            return type(error), str(error)
        raise AssertionError("it was shrunk")

    plain = refusal()
    with runlore.autolog("catboost"):
        assert refusal() == plain
    assert [str(item.message) for item in recwarn] == []
