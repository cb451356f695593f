"""What iterative estimators keep of their iterations: curves, and that they stopped early."""

import warnings
from typing import Any

import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from runlore import Store
from runlore.store.runs import RecordedRun
from tests.sklearn.models import Own, X, Y, only


def recorded(store: Store, model: Any, **further: Any) -> RecordedRun:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y, **further)
    return only(store)


@pytest.mark.shows("sklearn", "metrics")
def test_losses_and_validation_scores_by_iteration_are_curves(autologged: Store) -> None:
    model = MLPClassifier((4,), max_iter=5, early_stopping=True, random_state=0)
    run = recorded(autologged, make_pipeline(StandardScaler(), model))
    assert run.metrics["loss"].values.tolist() == model.loss_curve_
    assert run.metrics["validation_score"].values.tolist() == model.validation_scores_


@pytest.mark.parametrize(
    ("model", "more", "key", "last"),
    [
        (MLPClassifier((4,), max_iter=3, warm_start=True), {}, "loss", 6),
        (GradientBoostingClassifier(n_estimators=2, warm_start=True), {"n_estimators": 5}, "loss", 5),
        (
            HistGradientBoostingClassifier(max_iter=2, warm_start=True, early_stopping=True),
            {"max_iter": 5},
            "validation_score",
            5,
        ),
        (MLPClassifier((4,), max_iter=3, warm_start=True), {"warm_start": False}, "loss", 3),
    ],
)
def test_a_warm_start_tells_what_is_new(autologged: Store, model: Any, more: Any, key: str, last: int) -> None:
    """Each fit repeated the points of the fits before."""
    first = recorded(autologged, make_pipeline(StandardScaler(), model)).metrics[key].steps.tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make_pipeline(StandardScaler(), model.set_params(**more)).fit(X, Y)
    second = autologged.runs()[0].metrics[key].steps.tolist()
    continues = model.warm_start
    assert second == list(range(first[-1] + 1 if continues else 1, last + 1))
    assert autologged.runs()[0].metrics["train_score"].count == 1


@pytest.mark.parametrize(
    ("model", "curves"),
    [
        (
            GradientBoostingClassifier(n_estimators=3, subsample=0.5),
            {"loss": "train_score_", "oob_score": "oob_scores_"},
        ),
        (
            HistGradientBoostingClassifier(max_iter=3, early_stopping=True),
            {"iteration_score": "train_score_", "validation_score": "validation_score_"},
        ),
    ],
)
def test_boosting_tells_its_curves(autologged: Store, model: Any, curves: dict[str, str]) -> None:
    run = recorded(autologged, model)
    for name, attribute in curves.items():
        assert run.metrics[name].values.tolist() == pytest.approx(list(getattr(model, attribute)))
    assert run.metrics["train_score"].count == 1


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=50, early_stopping=True, n_iter_no_change=1, tol=1),
        GradientBoostingClassifier(n_estimators=50, n_iter_no_change=1, tol=1),
        MLPClassifier((4,), max_iter=50, early_stopping=True, n_iter_no_change=1, tol=1),
        SGDClassifier(early_stopping=True, max_iter=50, n_iter_no_change=1, tol=1),
    ],
)
@pytest.mark.shows("sklearn", "early stopping")
def test_a_fit_that_stopped_early_says_where_and_why(autologged: Store, model: Any) -> None:
    run = recorded(autologged, model)
    step = getattr(model, "n_iter_", getattr(model, "n_estimators_", None))
    assert run.tags["stopped"] == f"step {step}: no better score in 1 iterations"
    ends = {run.metrics[key].last_step for key in ("loss", "iteration_score") if key in run.metrics}
    assert ends == (set() if isinstance(model, SGDClassifier) else {step})  # which keeps no curve


@pytest.mark.parametrize("model", [LogisticRegression(max_iter=500), MLPClassifier((4,), max_iter=2), Own()])
def test_a_fit_that_converged_or_was_through_did_not_stop_early(autologged: Store, model: Any) -> None:
    assert "stopped" not in recorded(autologged, model).tags


def test_sets_that_a_fit_is_given_are_described_each_and_their_scores_are_curves(autologged: Store) -> None:
    """As libraries for boosting do, which keep scikit-learn's conventions."""

    class Boosting(Own):
        def fit(self, X: Any, y: Any, eval_set: Any = None, callbacks: Any = None) -> "Boosting":
            super().fit(X, y)
            self.evals_result_ = {"valid_0": {"logloss": [0.5, 0.4, 0.3]}, "valid_1": {"logloss": [0.6, 0.5]}}
            return self

    run = recorded(autologged, Boosting(), eval_set=[(X[:20], Y[:20]), (X[:10], Y[:10])], callbacks=[print])
    assert run.metrics["valid_0/logloss"].values.tolist() == [0.5, 0.4, 0.3]
    assert run.metrics["valid_1/logloss"].count == 2
    assert set(run.data) == {"X", "y", "eval_set.0", "eval_set.0.y", "eval_set.1", "eval_set.1.y"}
    assert run.data["eval_set.1"]["rows"] == 10
    assert [item["what"] for item in run.missing] == ["the fitted model"]
