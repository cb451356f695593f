"""Estimators of scikit-learn's kind: one fit is one run, whoever of the two integrations records it."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import runlore
from runlore import Store
from runlore_xgboost import RunloreCallback
from tests.xgboost.models import only, rows

WAYS: dict[str, tuple[str, ...]] = {
    "callback": (), "xgboost": ("xgboost",), "sklearn first": ("sklearn", "xgboost"), "both": ("xgboost", "sklearn"),
    "both and a callback": ("xgboost", "sklearn"),
}  # fmt: skip


def classifier(*callbacks: Any, **settings: Any) -> Any:
    settings = {"n_estimators": 40, "max_depth": 2, "early_stopping_rounds": 3, "n_jobs": 1, **settings}
    return xgboost.XGBClassifier(callbacks=list(callbacks) or None, **settings)


def fitted(estimator: Any) -> Any:
    x, y = rows()
    return estimator.fit(x, y, eval_set=[(x, y), rows(40, 2)], verbose=False)


@pytest.mark.parametrize("way", WAYS)
def test_a_fit_is_one_run_with_all_that_xgboost_tells(store: Store, way: str) -> None:
    plain = fitted(classifier())
    with runlore.autolog(*(WAYS[way] or ("lightning",))):
        model = fitted(classifier(*([RunloreCallback()] if "callback" in way else [])))
    assert model.get_booster().save_raw("json") == plain.get_booster().save_raw("json")
    run = only(store)
    assert run.status == "finished"
    assert run.tags["integration"] == ("sklearn" if "sklearn" in WAYS[way] else "xgboost")
    assert run.tags["estimator"] == "XGBClassifier"
    for name, metrics in model.evals_result().items():
        for metric, values in metrics.items():
            series = run.metrics[f"{name}/{metric}"]
            assert series.values.tolist() == values
            assert series.steps.tolist() == list(range(len(values)))
            assert series.count == len(values)
    assert run.summary["best_iteration"] == model.best_iteration
    assert run.summary["best_score"] == model.best_score
    assert "no better validation_1/logloss" in run.tags["stopped"]
    assert (run.params["max_depth"], run.params["n_estimators"]) == (2, 40)
    assert not {"max_depth", "n_estimators", "early_stopping_rounds"} & set(run.captured)
    assert (run.params["learning_rate"], run.params["reg_lambda"], "learning_rate" in run.captured) == (0.3, 1, True)
    assert {"X", "y", "eval_set.0", "eval_set.1.y"} <= set(run.data)
    assert "feature_importance.csv" in {item.name for item in run.artifacts}


def test_the_points_of_a_fit_are_written_once(store: Store, runlore_plugins: Any) -> None:
    """Also where scikit-learn's integration reads the same numbers off the estimator."""
    seen = Counter[str]()

    class Counting:
        @runlore.hookimpl
        def runlore_points_logged(self, points: Any) -> None:
            seen.update({item.key: len(item.steps) for item in points})

    runlore_plugins(Counting())
    with runlore.autolog("sklearn", "xgboost"):
        model = fitted(classifier())
    assert seen["validation_0/logloss"] == len(model.evals_result()["validation_0"]["logloss"])


def test_the_training_is_scored_whatever_the_estimator_was_given(store: Store) -> None:
    """A copy of the model is told to be quiet, which xgboost's `set_params` would hand on to the booster, and fail."""
    with runlore.autolog("sklearn", "xgboost"):
        model = fitted(classifier(eval_metric=["logloss", "error"]))
    run = only(store)
    assert run.metrics["train_score"].values.tolist() == [model.score(*rows())]
    assert run.missing == []


def test_a_pipeline_has_the_iterations_of_its_last_step(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("sklearn", "xgboost"):
        pipeline = make_pipeline(StandardScaler(), classifier(early_stopping_rounds=None, n_estimators=4))
        pipeline.fit(x, y, xgbclassifier__eval_set=[(x, y)], xgbclassifier__verbose=False)
    run = only(store)
    assert run.tags["estimator"] == "Pipeline"
    assert run.metrics["validation_0/logloss"].steps.tolist() == [0, 1, 2, 3]


@pytest.mark.shows("xgboost", "search trees")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_search_is_a_tree_without_loose_fits(store: Store, jobs: int) -> None:
    x, y = rows()
    model = classifier(early_stopping_rounds=None, n_estimators=3)
    with runlore.autolog("sklearn", "xgboost"):
        GridSearchCV(model, {"max_depth": [1, 2]}, cv=2, n_jobs=jobs).fit(x, y)
        cross_val_score(model, x, y, cv=2)
    assert [len(run.children) for run in store.runs("parent is None")] == [2, 2]
    assert len(store.runs()) == 6


@pytest.mark.parametrize("cls", ["XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker"])
def test_every_estimator_is_recorded(store: Store, cls: str) -> None:
    x, y = rows()
    settings = {"qid": np.repeat([0, 1], 40)} if cls == "XGBRanker" else {}
    made = {"n_estimators": 2, "objective": "rank:pairwise"} if cls == "XGBRanker" else {"n_estimators": 2}
    with runlore.autolog("xgboost"):
        getattr(xgboost, cls)(**made).fit(x, y, **settings)
    run = only(store)
    assert (run.tags["estimator"], run.params["n_estimators"]) == (cls, 2)
    assert set(run.data) == {"X", "y", *settings}


def test_all_that_belongs_to_the_rows_of_a_set_is_described(store: Store) -> None:
    x, y = rows()
    groups, ones = np.repeat([0, 1], 40), np.ones(80)
    with runlore.autolog("xgboost"):
        xgboost.XGBRanker(n_estimators=2).fit(x, y, qid=groups, eval_set=[(x, y)], eval_qid=[groups], verbose=False)
        xgboost.XGBRegressor(n_estimators=2).fit(
            x, y, base_margin=ones, feature_weights=np.ones(3), eval_set=[(x, y)], sample_weight_eval_set=[ones],
            base_margin_eval_set=[ones], verbose=False,
        )  # fmt: skip
    regressor, ranker = store.runs()
    assert set(ranker.data) == {"X", "y", "qid", "eval_set.0", "eval_set.0.y", "eval_set.0.qid"}
    assert {"base_margin", "feature_weights", "eval_set.0.sample_weight", "eval_set.0.base_margin"} < set(
        regressor.data
    )


def test_what_an_estimator_hands_on_was_passed(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("xgboost"):
        xgboost.XGBRegressor(n_estimators=2, objective="reg:quantileerror", quantile_alpha=0.25).fit(x, y)
    run = only(store)
    assert run.params["quantile_alpha"] == 0.25
    assert "quantile_alpha" not in run.captured


def test_a_second_fit_is_linked_to_the_first(store: Store) -> None:
    model = classifier(early_stopping_rounds=None, n_estimators=2)
    with runlore.autolog("xgboost"):
        fitted(model)
        fitted(model)
    second, first = store.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]


def test_a_fit_that_goes_on_from_an_estimator_is_lineage(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("xgboost"):
        first = classifier(early_stopping_rounds=None, n_estimators=2).fit(x, y)
        second = classifier(early_stopping_rounds=None, n_estimators=3)
        second.fit(x, y, xgb_model=first, eval_set=[(x, y)], verbose=False)
    run, before = store.runs()
    assert run.links == [{"kind": "resumed_from", "run": before.id, "step": 1}]
    assert run.metrics["validation_0/logloss"].steps.tolist() == [2, 3, 4]


def test_a_custom_objective_is_recorded_by_name(store: Store) -> None:
    def squared(labels: Any, predicted: Any) -> Any:
        return predicted - labels, np.ones(len(predicted))

    x, y = rows()
    with runlore.autolog("xgboost"):
        xgboost.XGBRegressor(n_estimators=2, objective=squared).fit(x, y)
    assert only(store).params["objective"].endswith("squared")


def test_a_failure_is_told_in_the_run_of_the_fit(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("sklearn", "xgboost"), pytest.raises(ValueError, match="no such"):
        xgboost.XGBClassifier(objective="no such").fit(x, y)
    assert only(store).status == "failed"


def test_switching_xgboost_off_leaves_scikit_learns_own_record(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_DISABLED", "xgboost")
    with runlore.autolog("sklearn", "xgboost"):
        model = fitted(classifier())
    run = only(store)
    assert "best_iteration" not in run.summary
    assert run.metrics["validation_0/logloss"].values.tolist() == model.evals_result()["validation_0"]["logloss"]


def test_what_the_callback_is_told_counts_where_autolog_records_the_estimator(store: Store) -> None:
    """The run that scikit-learn's autolog began had no name, experiment and tags of it."""
    ours = RunloreCallback("mine", experiment="digits", tags={"team": "vision"})
    with runlore.autolog():
        xgboost.XGBClassifier(n_estimators=2, callbacks=[ours]).fit(*rows())
    run = only(store)
    assert (run.name, run.experiment, run.tags["team"]) == ("mine", "digits", "vision")
    assert run.tags["integration"] == "sklearn"
