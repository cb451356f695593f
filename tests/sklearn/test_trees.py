"""Searches and cross-validation: trees of runs that say what scikit-learn says."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # makes HalvingGridSearchCV importable
from sklearn.linear_model import LogisticRegression

# By name, before autolog is switched on: that is how people import them.
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.tree import DecisionTreeClassifier

from runlore import Store
from tests.process import Process
from tests.sklearn.test_autolog import Own, autologged  # noqa: F401  # a fixture

X, Y = load_iris(return_X_y=True)


def tree(depth: int = 2) -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=depth, random_state=0)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_val_score_is_one_parent_with_its_folds(autologged: Store, n_jobs: int | None) -> None:  # noqa: F811
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


def test_cross_validate_tells_its_several_scores_and_times(autologged: Store) -> None:  # noqa: F811
    found = cross_validate(tree(), X, Y, cv=3, scoring=["accuracy", "f1_macro"], return_train_score=True)
    (parent,) = autologged.runs("parent is None")
    for name in ("test_accuracy", "test_f1_macro", "train_accuracy"):
        assert parent.metrics[f"split_{name}"].values.tolist() == found[name].tolist()
    assert parent.metrics["split_fit_time"].values.tolist() == found["fit_time"].tolist()


def test_folds_that_cannot_be_fitted_are_kept_as_failed(autologged: Store) -> None:  # noqa: F811
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
    import runlore

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
def test_other_validations_leave_no_loose_runs(autologged: Store, call: Callable[[], Any]) -> None:  # noqa: F811
    call()
    assert len(autologged.runs("parent is None")) == 1


def test_a_cross_validation_inside_a_run_of_the_user_joins_it(autologged: Store) -> None:  # noqa: F811
    with autologged.start_run("mine"):
        cross_val_score(tree(), X, Y, cv=2)
    (mine,) = autologged.runs("parent is None")
    assert mine.name == "mine"
    assert mine.metrics["split_test_score"].count == 2
    assert len(mine.children) == 2


def test_a_search_inside_a_cross_validation_makes_no_runs_of_its_own(autologged: Store) -> None:  # noqa: F811
    cross_val_score(GridSearchCV(tree(), {"max_depth": [1, 2]}, cv=2), X, Y, cv=2)
    assert len(autologged.runs("parent is None")) == 1
    assert len(autologged.runs()) == 3


def test_a_halving_search_tells_its_candidates(autologged: Store) -> None:  # noqa: F811
    search = HalvingGridSearchCV(tree(), {"max_depth": [1, 2, 3, 4]}, cv=2, random_state=0).fit(X, Y)
    (parent,) = autologged.runs("parent is None")
    assert len(parent.children) == len(search.cv_results_["params"])
    assert parent.metrics["best_score"].last == search.best_score_


def test_more_candidates_than_the_cap_are_counted(
    autologged: Store,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runlore_sklearn._search.MAX_CHILDREN", 3)
    RandomizedSearchCV(tree(), {"max_depth": range(1, 9)}, n_iter=5, cv=2, random_state=0).fit(X, Y)
    (parent,) = autologged.runs("parent is None")
    assert len(parent.children) == 3
    assert {"what": "2 candidates", "why": "at most 3 become runs"} in parent.missing


ENSEMBLES = {
    "voting": lambda jobs: VotingClassifier([("a", tree()), ("b", DummyClassifier())], n_jobs=jobs),
    "stacking": lambda jobs: StackingClassifier([("a", tree()), ("b", DummyClassifier())], n_jobs=jobs, cv=2),
    "bagging": lambda jobs: BaggingClassifier(tree(), n_estimators=4, n_jobs=jobs),
    "one versus rest": lambda jobs: OneVsRestClassifier(LogisticRegression(max_iter=300), n_jobs=jobs),
}


@pytest.mark.parametrize("name", ENSEMBLES)
@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_ensemble_is_one_run_in_every_kind_of_pool(
    autologged: Store,  # noqa: F811
    name: str,
    backend: str,
    n_jobs: int,
) -> None:
    import joblib

    with joblib.parallel_config(backend):
        ENSEMBLES[name](n_jobs).fit(X, Y)
    (run,) = autologged.runs()
    assert run.status == "finished"
    assert run.metrics["train_score"].last > 0.3


def test_a_loky_worker_records_nothing_even_with_autolog_in_it(store: Store, python: Callable[..., Process]) -> None:
    python("""
        import runlore
        runlore.autolog()
        import joblib
        from sklearn.datasets import load_iris
        from sklearn.dummy import DummyClassifier

        def work(seed):
            import runlore
            runlore.autolog()
            data = load_iris(return_X_y=True)
            return DummyClassifier(random_state=seed).fit(*data).score(*data)

        if __name__ == "__main__":
            print(joblib.Parallel(n_jobs=2)(joblib.delayed(work)(seed) for seed in range(4)))
    """).succeed()
    assert len(store.runs()) == 0
