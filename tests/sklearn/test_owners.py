"""Which run a fitted estimator and its parts belong to."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from runlore import Store
from runlore.provenance.origins import which_run
from tests.sklearn.models import X, Y


@pytest.mark.shows("sklearn", "resume as lineage")
def test_a_second_fit_is_a_second_run_that_is_linked_to_the_first(autologged: Store) -> None:
    model = LogisticRegression(max_iter=300).fit(X, Y)
    model.set_params(C=2).fit(X, Y)
    second, first = autologged.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]
    assert (first.links, first.params["C"], second.params["C"]) == ([], 1.0, 2)


def test_parts_of_a_fitted_estimator_lead_to_its_run_however_deep_they_are_dumped(
    autologged: Store,
    tmp_path: Path,
) -> None:
    """The best estimator of a search, or a step of it, led to no run."""
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1]}, cv=2)
    search.fit(X, Y)
    other = DummyClassifier().fit(X, Y)
    joblib.dump(search.best_estimator_, tmp_path / "best")
    joblib.dump({"a": [("m", search.best_estimator_[-1])], "b": other}, tmp_path / "both")
    (best,) = which_run(autologged, tmp_path / "best").found
    assert best.run == autologged.runs("tags.estimator == 'GridSearchCV'")[0].id
    assert len(which_run(autologged, tmp_path / "both").found) == 2
    search.best_estimator_.score(X[::2], Y[::2])
    assert autologged.run(best.run).metrics["test_score"].count == 1


def test_parts_that_were_fitted_before_keep_their_runs_and_are_linked(autologged: Store) -> None:
    """The score of a model on its own went to the run of whatever had used it since."""
    base = LogisticRegression(max_iter=500).fit(X, Y)
    stack = StackingClassifier([("base", base)], DummyClassifier(), cv="prefit").fit(X, Y)
    CalibratedClassifierCV(FrozenEstimator(base), cv=2).fit(X, Y)
    base.score(X[::2], Y[::2])
    stack.score(X[::3], Y[::3])
    calibrated, stacked, first = autologged.runs()
    assert [run.metrics.get("test_score") is not None for run in (calibrated, stacked, first)] == [False, True, True]
    assert [run.links for run in (stacked, calibrated)] == [[{"kind": "uses", "run": first.id}]] * 2


def test_steps_that_are_fitted_again_belong_to_the_new_run(autologged: Store) -> None:
    steps = [StandardScaler(), LogisticRegression(max_iter=500)]
    make_pipeline(*steps).fit(X, Y)
    make_pipeline(*steps).fit(X, Y)
    steps[1].score(X[::2], Y[::2])
    second, first = autologged.runs()
    assert (second.metrics.get("test_score") is not None, "test_score" in first.metrics) == (True, False)
    assert second.links == []


def assign(model: Any) -> None:
    model.coef_ = np.ones_like(model.coef_)


def assign_a_type(model: Any) -> None:
    model[-1].coef_ = model[-1].coef_.astype("float32") * 2


def change_in_place(model: Any) -> None:
    model.estimators_[0].intercept_[:] = 1


def cut_a_tree(model: Any) -> None:
    model.tree_.threshold[0] = 1e9


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (LogisticRegression(max_iter=500), assign),
        pytest.param(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)), assign_a_type, marks=pytest.mark.stress
        ),
        pytest.param(
            StackingClassifier([("one", LogisticRegression(max_iter=500))], cv=2),
            change_in_place,
            marks=pytest.mark.stress,
        ),
        pytest.param(DecisionTreeClassifier(), cut_a_tree, marks=pytest.mark.stress),
    ],
)
def test_weights_that_a_user_has_set_are_no_fits(
    autologged: Store, tmp_path: Path, model: Any, change: Callable[[Any], None]
) -> None:
    """A score of theirs stood in the run of the fit, and a file of theirs led to it."""
    model.fit(X, Y)
    joblib.dump(model, tmp_path / "model")
    change(model)
    model.score(X[::2], Y[::2])
    joblib.dump(model, tmp_path / "changed")
    loaded = joblib.load(tmp_path / "model")
    change(loaded)
    loaded.score(X[::2], Y[::2])
    (run,) = autologged.runs()
    assert "test_score" not in run.metrics
    assert [Path(item.path).name for item in run.artifacts if item.path] == ["model"]


def test_what_only_looks_like_other_weights_is_the_fits(autologged: Store) -> None:
    model = LogisticRegression(max_iter=500).fit(X, Y)
    model.coef_ = model.coef_.copy()
    model.sparsify().score(X[::2], Y[::2])
    going_on = GaussianNB().partial_fit(X, Y, [0, 1, 2]).partial_fit(X, Y)
    going_on.score(X[::2], Y[::2])
    assert [run.metrics["test_score"].count for run in autologged.runs()] == [1, 1]


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
@pytest.mark.parametrize(
    "made",
    [
        LogisticRegression(max_iter=300),
        make_pipeline(StandardScaler(), GaussianNB()),
        HistGradientBoostingClassifier(max_iter=3),
        SVC(),
    ],
    ids=lambda made: type(made).__name__,
)
def test_a_copy_of_a_fitted_estimator_is_of_its_run(autologged: Store, tmp_path: Path, made: Any, how: str) -> None:
    """Its score was lost, and its file was nobody's."""
    model = clone(made).fit(X[:100], Y[:100])
    copied = copy.deepcopy(model) if how == "deepcopy" else pickle.loads(pickle.dumps(model))
    told = copied.score(X[100:], Y[100:])
    joblib.dump(copied, tmp_path / "copied")
    (run,) = autologged.runs()
    assert run.metrics["test_score"].values.tolist() == [told]
    (found,) = which_run(autologged, tmp_path / "copied").found
    assert found.run == run.id


def test_what_differs_from_an_estimator_in_anything_is_no_copy_of_it(autologged: Store) -> None:
    model = LogisticRegression(max_iter=300).fit(X[:100], Y[:100])
    other, changed = copy.deepcopy(model), copy.deepcopy(model)
    other.C = 3.0
    changed.coef_ = changed.coef_ + 1e-9
    for item in (other, changed):
        item.score(X[100:], Y[100:])
    assert "test_score" not in autologged.runs()[0].metrics
