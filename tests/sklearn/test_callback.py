"""The callback: one fit, one run, with the score after every iteration."""

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import runlore
from runlore import Store
from runlore_sklearn import RunloreCallback
from tests.process import Process

pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks since 1.9")

X, Y = load_iris(return_X_y=True)


def test_a_fit_with_the_callback_is_one_run_with_iterations(store: Store) -> None:
    model = LogisticRegression(max_iter=300).set_callbacks(RunloreCallback()).fit(X, Y)
    (run,) = store.runs()
    series = run.metrics["iteration_score"]
    assert series.count == model.n_iter_[0] == run.metrics["n_iter"].last
    assert series.steps.tolist() == list(range(series.count))
    assert series.values[-1] == model.score(X, Y) == run.metrics["train_score"].last
    assert series.values[0] < series.values[-1]
    assert run.params["max_iter"] == 300
    assert run.data["X"]["shape"] == [150, 4]
    assert run.data["y"]["classes"] == [0, 1, 2]
    assert run.status == "finished"


def test_with_autolog_on_it_is_still_one_run(store: Store) -> None:
    with runlore.autolog():
        LogisticRegression(max_iter=300).set_callbacks(RunloreCallback()).fit(X, Y)
    (run,) = store.runs()
    assert run.metrics["iteration_score"].count > 10
    assert run.metrics["fit_seconds"].count == 1


def test_one_callback_for_two_fits_and_two_estimators_makes_a_run_each(store: Store) -> None:
    callback = RunloreCallback()
    first = LogisticRegression(max_iter=300).set_callbacks(callback)
    first.fit(X, Y)
    first.fit(X, Y)
    clone(first).set_callbacks(callback).fit(X, Y)
    assert len(store.runs()) == 3


def test_a_fit_that_raises_fails_its_run_and_an_outer_exception_does_not(store: Store) -> None:
    class Stop(Exception):
        pass

    class Stopping:
        def setup(self, estimator: Any, context: Any) -> None: ...
        def teardown(self, estimator: Any, context: Any) -> None: ...
        def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...
        def on_fit_task_end(self, estimator: Any, context: Any) -> None:
            raise Stop("enough")

    with pytest.raises(Stop, match="enough"):
        LogisticRegression().set_callbacks(RunloreCallback(), Stopping()).fit(X, Y)
    try:
        raise ValueError("another matter")
    except ValueError:
        LogisticRegression(max_iter=300).set_callbacks(RunloreCallback()).fit(X, Y)
    assert [run.status for run in store.runs()] == ["finished", "failed"]
    error = store.runs()[1].error
    assert error is not None
    assert error["message"] == "enough"


def test_the_model_is_the_same_with_and_without(store: Store) -> None:
    without = LogisticRegression(max_iter=300).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = np.random.get_state()[1].tolist()  # type: ignore[index]
        model = LogisticRegression(max_iter=300).set_callbacks(RunloreCallback()).fit(X, Y)
    assert (model.coef_ == without.coef_).all()
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_pipelines_and_searches_take_it_and_stay_one_tree(store: Store, n_jobs: int) -> None:
    make_pipeline(StandardScaler(), LogisticRegression()).set_callbacks(RunloreCallback()).fit(X, Y)
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(RunloreCallback()).fit(X, Y)
    found, pipeline = store.runs("parent is None")
    assert pipeline.params["logisticregression__C"] == 1.0
    assert [child.params["C"] for child in found.children] == [0.1, 1]


def test_it_survives_pickling_and_a_copy_records_its_own_fits(store: Store) -> None:
    model = pickle.loads(pickle.dumps(LogisticRegression(max_iter=300).set_callbacks(RunloreCallback())))
    model.fit(X, Y)
    assert len(store.runs()) == 1


def test_it_does_nothing_where_runlore_is_switched_off(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_DISABLED", "sklearn")
    LogisticRegression(max_iter=300).set_callbacks(RunloreCallback()).fit(X, Y)
    assert len(store.runs()) == 0


@pytest.mark.parametrize("data", [(X, Y), (X * np.nan, Y)])
def test_a_fit_that_fails_before_callbacks_are_set_up_is_a_failed_run(store: Store, data: Any) -> None:
    """scikit-learn sets callbacks up when it has accepted parameters and data: nothing was recorded."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # of either kind
        LogisticRegression(C=-1 if data[0] is X else 1).set_callbacks(RunloreCallback()).fit(*data)
    LogisticRegression(max_iter=300).fit(X, Y)
    (run,) = store.runs()
    assert (run.status, run.params["max_iter"]) == ("failed", 100)
    assert run.error is not None
    assert run.error["message"] == str(caught.value)


def test_a_callback_that_is_made_in_the_call_records_the_first_fit(
    store: Store, warm_python: Callable[..., Process]
) -> None:
    warm_python("""
        import runlore_sklearn
        from sklearn.linear_model import LogisticRegression
        model = LogisticRegression()
        for data in (([[0.0], [1.0]], [0, 1]), ([[0.0], [1.0]], [0])):
            try:
                model.set_callbacks(runlore_sklearn.RunloreCallback()).fit(*data)
            except ValueError:
                pass
    """).succeed()
    failed, finished = store.runs()
    assert (failed.status, finished.status) == ("failed", "finished")
    assert {"iteration_score", "train_score"} <= set(finished.metrics)
