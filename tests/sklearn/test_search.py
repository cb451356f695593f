"""Searches and cross-validation: trees of runs that say what scikit-learn says."""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.dummy import DummyClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # makes HalvingGridSearchCV importable
from sklearn.linear_model import LogisticRegression

# By name, before autolog is switched on: that is how people import them.
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import runlore
from runlore import Store
from tests.sklearn.models import Own, X, Y, tree


def test_a_candidate_that_is_a_dict_is_one_value(autologged: Store) -> None:
    """It was taken apart, and could not be grouped with "balanced"."""
    weights = {0: 1, 1: 2, 2: 1}
    GridSearchCV(tree(), {"class_weight": [weights, "balanced"]}, cv=2).fit(X, Y)
    tree().set_params(class_weight=weights).fit(X, Y)
    alone, search = autologged.runs("parent is None")
    told = [child.params["class_weight"] for child in search.children]
    assert told == [alone.params["class_weight"], "balanced"]
    assert "best.class_weight" in search.params


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_val_score_is_one_parent_with_its_folds(autologged: Store, n_jobs: int | None) -> None:
    scores = cross_val_score(tree(), X, Y, cv=4, n_jobs=n_jobs)
    (parent,) = autologged.runs("parent is None")
    assert parent.metrics["split_test_score"].values.tolist() == scores.tolist()
    assert parent.metrics["mean_test_score"].last == np.mean(scores)
    assert parent.metrics["std_test_score"].last == np.std(scores)
    assert parent.params["max_depth"] == 2
    assert parent.tags["method"] == "cross-validation"
    assert parent.data["X"]["shape"] == [150, 4]
    children = list(parent.children)
    assert [child.name for child in children] == ["fold-0", "fold-1", "fold-2", "fold-3"]
    assert [child.metrics["test_score"].last for child in children] == scores.tolist()
    assert len(autologged.runs()) == 5
    assert {run.status for run in autologged.runs()} == {"finished"}


def test_cross_validate_tells_its_several_scores_and_times(autologged: Store) -> None:
    found = cross_validate(tree(), X, Y, cv=3, scoring=["accuracy", "f1_macro"], return_train_score=True)
    (parent,) = autologged.runs("parent is None")
    for name in ("test_accuracy", "test_f1_macro", "train_accuracy"):
        assert parent.metrics[f"split_{name}"].values.tolist() == found[name].tolist()
    assert parent.metrics["split_fit_time"].values.tolist() == found["fit_time"].tolist()


def test_folds_that_cannot_be_fitted_are_kept_as_failed(autologged: Store) -> None:
    class Sometimes(Own):
        def fit(self, X: Any, y: Any) -> "Sometimes":
            if 0.3 < np.mean(y) < 0.95:
                raise RuntimeError("not these")
            super().fit(X, y)
            return self

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cross_val_score(Sometimes(), X, Y, cv=[(range(100), range(100, 150)), (range(50, 150), range(50))])
        with pytest.raises(ValueError, match="All the 2 fits failed"):
            cross_val_score(Own(fail=True), X, Y, cv=2)
    none, some = autologged.runs("parent is None")
    assert [child.status for child in some.children] == ["failed", "finished"]
    assert "not these" in str(some.children[0].missing)
    assert some.status == "finished"
    assert none.status == "failed"
    with pytest.raises(RuntimeError, match="cursed"):
        cross_val_score(Own(fail=True), X, Y, cv=2, error_score="raise")
    assert autologged.runs()[0].status == "failed"
    assert autologged.runs("status == 'running'").hints == ()
    assert len(autologged.runs("status == 'running'")) == 0


def test_the_scores_are_the_same_with_and_without(store: Store) -> None:

    without = cross_val_score(tree(), X, Y, cv=3)
    with runlore.autolog():
        assert (cross_val_score(tree(), X, Y, cv=3) == without).all()
    assert (cross_val_score(tree(), X, Y, cv=3) == without).all()
    assert len(store.runs("parent is None")) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: cross_val_predict(tree(), X, Y, cv=3),
        lambda: learning_curve(tree(), X, Y, cv=3, train_sizes=[0.5, 1.0], shuffle=True, random_state=0),
    ],
    ids=["cross_val_predict", "learning_curve"],
)
def test_other_validations_leave_no_loose_runs(autologged: Store, call: Callable[[], Any]) -> None:
    call()
    assert len(autologged.runs("parent is None")) == 1


def test_a_mean_is_of_folds_and_not_of_how_many_rows_were_trained_on(autologged: Store) -> None:
    """A learning curve had one where half the rows were the least, and folds of growing size had none."""
    learning_curve(tree(), X, Y, cv=3, train_sizes=[0.6, 1.0], shuffle=True, random_state=0)
    scores = cross_val_score(tree(), X, Y, cv=TimeSeriesSplit(4))
    folds, curve = autologged.runs("parent is None")
    assert folds.metrics["mean_test_score"].last == pytest.approx(scores.mean())
    assert "mean_test_score" not in curve.metrics
    assert {child.params["train_rows"] for child in curve.children} == {60, 100}
    assert not any(name.startswith("<") for child in curve.children for name in child.params)


def test_a_cross_validation_inside_a_run_of_the_user_joins_it(autologged: Store) -> None:
    with autologged.start_run("mine"):
        cross_val_score(tree(), X, Y, cv=2)
    (mine,) = autologged.runs("parent is None")
    assert mine.name == "mine"
    assert mine.metrics["split_test_score"].count == 2
    assert len(mine.children) == 2


def test_a_search_inside_a_cross_validation_makes_no_runs_of_its_own(autologged: Store) -> None:
    cross_val_score(GridSearchCV(tree(), {"max_depth": [1, 2]}, cv=2), X, Y, cv=2)
    assert len(autologged.runs("parent is None")) == 1
    assert len(autologged.runs()) == 3


def test_a_halving_search_tells_its_candidates(autologged: Store) -> None:
    search = HalvingGridSearchCV(tree(), {"max_depth": [1, 2, 3, 4]}, cv=2, random_state=0).fit(X, Y)
    (parent,) = autologged.runs("parent is None")
    assert len(parent.children) == len(search.cv_results_["params"])
    assert parent.metrics["best_score"].last == search.best_score_


def test_more_candidates_than_the_cap_are_counted(
    autologged: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runlore_sklearn._search.MAX_CHILDREN", 3)
    RandomizedSearchCV(tree(), {"max_depth": range(1, 9)}, n_iter=5, cv=2, random_state=0).fit(X, Y)
    (parent,) = autologged.runs("parent is None")
    assert len(parent.children) == 3
    assert {"what": "2 candidates", "why": "at most 3 become runs"} in parent.missing


@pytest.mark.shows("sklearn", "search trees")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_grid_search_is_a_parent_and_a_child_per_candidate(autologged: Store, n_jobs: int) -> None:
    search = GridSearchCV(SVC(), {"C": [0.1, 1, 10]}, cv=2, n_jobs=n_jobs).fit(X, Y)
    (parent,) = autologged.runs("parent is None")
    assert parent.metrics["best_score"].last == search.best_score_
    assert parent.params["best.C"] == search.best_params_["C"]
    children = list(parent.children)
    assert [child.params["C"] for child in children] == [0.1, 1, 10]
    results = search.cv_results_
    for place, child in enumerate(children):
        folds = [results[f"split{fold}_test_score"][place] for fold in (0, 1)]
        assert child.metrics["split_test_score"].values.tolist() == folds
        assert child.metrics["mean_test_score"].last == results["mean_test_score"][place]
        assert child.metrics["std_test_score"].last == results["std_test_score"][place]
        assert child.metrics["rank_test_score"].last == results["rank_test_score"][place]
    assert len(autologged.runs()) == 4


def test_a_candidate_that_cannot_be_fitted_is_kept_as_failed(autologged: Store) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GridSearchCV(Own(), {"fail": [False, True]}, cv=2).fit(X, Y)
    good, bad = autologged.runs("parent is None")[0].children
    assert (good.status, bad.status) == ("finished", "failed")
    assert np.isnan(bad.metrics["mean_test_score"].last)


def test_several_metrics_of_a_random_search_are_told_apart(autologged: Store) -> None:
    RandomizedSearchCV(
        LogisticRegression(max_iter=500), {"C": [0.1, 1, 10]}, n_iter=2, cv=2, scoring=["accuracy", "f1_macro"],
        refit="accuracy", random_state=0,
    ).fit(X, Y)  # fmt: skip
    child = autologged.runs("parent is None")[0].children[0]
    assert {"split_test_accuracy", "split_test_f1_macro", "mean_test_accuracy", "rank_test_f1_macro"} <= set(
        child.metrics
    )


def test_a_validation_curve_says_what_it_varies_and_takes_no_mean_of_it(autologged: Store) -> None:
    """The mean over different settings stood on the run as its score."""
    validation_curve(DecisionTreeClassifier(), X, Y, param_name="max_depth", param_range=[1, 3], cv=2)
    (parent,) = autologged.runs("parent is None")
    assert sorted(child.params["max_depth"] for child in parent.children) == [1, 1, 3, 3]
    assert "mean_test_score" not in parent.metrics
    assert parent.metrics["split_test_score"].count == 4


def test_candidates_and_folds_took_the_time_of_their_fits(autologged: Store) -> None:
    """Children read as if they had taken no time."""

    class Slow(Own):
        def fit(self, X: Any, y: Any) -> "Slow":
            time.sleep(0.02)
            super().fit(X, y)
            return self

    search = GridSearchCV(Slow(), {"shift": [1, 2]}, cv=2).fit(X, Y)
    (parent,) = autologged.runs("parent is None")
    for child, mean in zip(parent.children, search.cv_results_["mean_fit_time"], strict=True):
        assert child.duration is not None
        assert child.duration >= 2 * mean >= 0.04


class FailsOnce(DummyClassifier):
    """Can't be fitted the second time that any is."""

    fits = 0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        FailsOnce.fits += 1
        if FailsOnce.fits == 2:
            raise RuntimeError("no memory")
        return super().fit(X, y, sample_weight)


def test_a_candidate_with_one_fold_that_failed_has_not_failed(
    autologged: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It read failed, as none of its folds could be scored, beside the score of the other fold."""
    monkeypatch.setattr(FailsOnce, "fits", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GridSearchCV(FailsOnce(), {"strategy": ["prior", "uniform"]}, cv=2).fit(X, Y)
    first, second = autologged.runs("parent is None")[0].children
    assert (first.status, first.missing, second.status) == ("finished", [], "finished")
    assert np.isnan(first.metrics["split_test_score"].values).tolist() == [False, True]


def test_the_weights_of_a_cross_validation_are_described(autologged: Store) -> None:
    weights = np.linspace(1, 2, len(Y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = (
            LogisticRegression(max_iter=500).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        )
        cross_validate(model, X, Y, cv=2, params={"sample_weight": weights})
    (run,) = autologged.runs("parent is None")
    assert run.data["sample_weight"]["rows"] == len(Y)
