"""Estimators that choose by a cross-validation of their own: the choice, and the curve of scores that led to it."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.covariance import GraphicalLassoCV
from sklearn.feature_selection import RFECV
from sklearn.linear_model import (
    ElasticNetCV,
    Lasso,
    LassoCV,
    LassoLarsCV,
    LinearRegression,
    LogisticRegressionCV,
    OrthogonalMatchingPursuitCV,
    RidgeCV,
)
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from runlore import Store
from runlore.store.runs import RecordedRun
from tests.sklearn.models import X, Y, only, tree

BINARY = (X[:100], Y[:100])


def recorded(store: Store, model: Any, data: Any = (X, Y)) -> tuple[Any, RecordedRun]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*data)
    run = only(store)
    assert (run.status, list(run.children), run.missing) == ("finished", [], [])
    return model, run


def test_the_score_by_number_of_features_is_a_curve(autologged: Store) -> None:
    model, run = recorded(autologged, RFECV(tree(), cv=3))
    curve = run.metrics["mean_test_score"]
    assert curve.steps.tolist() == model.cv_results_["n_features"].tolist() == [1, 2, 3, 4]
    assert curve.values.tolist() == model.cv_results_["mean_test_score"].tolist()
    assert run.metrics["split2_test_score"].count == 4
    assert run.params["best.n_features"] == model.n_features_
    assert run.metrics["train_score"].last == model.score(X, Y)


@pytest.mark.parametrize("l1_ratio", [0.5, [0.5, 0.9]])
def test_the_error_by_alpha_is_a_curve_of_the_best_mixture(autologged: Store, l1_ratio: Any) -> None:
    model, run = recorded(autologged, ElasticNetCV(l1_ratio=l1_ratio, cv=3))
    alphas, errors = run.metrics["alphas"].values, run.metrics["mean_mse"].values
    assert alphas[np.argmin(errors)] == run.params["best.alpha"] == model.alpha_
    assert run.params["best.l1_ratio"] == model.l1_ratio_
    assert run.metrics["std_mse"].count == len(alphas) == 100


@pytest.mark.parametrize("model", [LassoCV(cv=3), LassoLarsCV(cv=3)])
def test_a_path_of_errors_is_a_curve(autologged: Store, model: Any) -> None:
    model, run = recorded(autologged, model)
    alphas, errors = run.metrics["alphas"].values, run.metrics["mean_mse"].values
    assert alphas[np.argmin(errors)] == pytest.approx(model.alpha_)


@pytest.mark.parametrize("further", [{}, {"l1_ratios": (0.0, 0.5), "solver": "saga"}])
@pytest.mark.parametrize("legacy", [True, False])
def test_the_score_by_c_is_a_curve(autologged: Store, legacy: bool, further: dict[str, Any]) -> None:
    extra = {"use_legacy_attributes": legacy} if "use_legacy_attributes" in LogisticRegressionCV().get_params() else {}
    model = LogisticRegressionCV(Cs=[0.001, 0.1, 1], cv=3, max_iter=20, random_state=0, **further, **extra)
    model, run = recorded(autologged, model)
    assert run.metrics["Cs"].values.tolist() == [0.001, 0.1, 1]
    scores = run.metrics["mean_test_score"].values
    assert run.metrics["Cs"].values[np.argmax(scores)] == run.params["best.C"]
    assert max(scores) > 0.8


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (GraphicalLassoCV(alphas=3, n_refinements=1, cv=3), {"alphas", "mean_test_score", "split0_test_score"}),
        (RidgeCV([0.1, 1], store_cv_results=True), {"alphas", "mean_squared_error", "best_score", "train_score"}),
        (RidgeCV([0.1, 1], store_cv_results=True, scoring="r2"), {"best_score", "train_score"}),
        (RidgeCV([0.1, 1], cv=3), {"best_score", "train_score"}),
        (OrthogonalMatchingPursuitCV(cv=3), {"n_iter", "train_score"}),
        (TunedThresholdClassifierCV(tree(), store_cv_results=True), {"thresholds", "scores", "best_score"}),
        (TunedThresholdClassifierCV(tree()), {"best_score", "train_score"}),
    ],
)
def test_what_is_no_search_is_recorded_as_what_it_is(autologged: Store, model: Any, told: set[str]) -> None:
    _, run = recorded(autologged, model, BINARY)
    assert told <= set(run.metrics)
    assert any(name.startswith("best.") for name in run.params)


@pytest.mark.parametrize("wrap", [lambda search: make_pipeline(StandardScaler(), search)])
def test_a_search_at_the_end_of_a_pipeline_tells_its_candidates(autologged: Store, wrap: Callable[[Any], Any]) -> None:
    wrap(GridSearchCV(Lasso(), {"alpha": [0.1, 0.2]}, cv=2)).fit(X, Y)
    (run,) = autologged.runs("parent is None")
    assert [child.params["alpha"] for child in run.children] == [0.1, 0.2]
    assert run.params["best.alpha"] == 0.1
    assert run.metrics["train_score"].count == 1


def test_an_estimator_without_a_choice_of_its_own_tells_none(autologged: Store) -> None:
    _, run = recorded(autologged, LinearRegression())
    assert [name for name in run.params if name.startswith("best.")] == []
