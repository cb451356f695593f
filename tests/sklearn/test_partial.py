"""`partial_fit`: many calls, one run."""

import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from sklearn.linear_model import LinearRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier

from runlore import Store
from runlore_sklearn._owners import owners
from tests.process import Process
from tests.sklearn.models import Own, X, Y, only

Python = Callable[..., Process]


def test_partial_fit_three_times_is_one_run_with_three_points(autologged: Store) -> None:
    model = SGDClassifier(random_state=0)
    for start in (0, 50, 100):
        model.partial_fit(X[start : start + 50], Y[start : start + 50], classes=[0, 1, 2])
    other = GaussianNB().partial_fit(X, Y, classes=[0, 1, 2])
    gaussian, sgd = autologged.runs()
    assert sgd.metrics["rows"].values.tolist() == [50, 50, 50]
    assert sgd.metrics["partial_fit_seconds"].count == 3
    assert (sgd.status, gaussian.metrics["rows"].count) == ("running", 1)
    score = model.score(X[:50], Y[:50])
    assert autologged.runs()[1].metrics["test_score"].last == score
    threads = threading.active_count()
    del model, other
    assert threading.active_count() == threads
    LinearRegression().fit(X, Y)
    assert {run.status for run in autologged.runs()} == {"finished"}
    assert len(autologged.runs()) == 3


def test_partial_fit_tells_the_loss_and_ends_at_a_new_fit_and_at_an_exception(autologged: Store) -> None:
    model = MLPClassifier((4,), random_state=0, max_iter=5)
    for _ in range(3):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    assert only(autologged).metrics["loss"].count == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y)
    assert [run.status for run in autologged.runs()] == ["finished", "finished"]
    broken = SGDClassifier().partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="features"):
        broken.partial_fit(X[:, :2], Y)
    assert autologged.runs()[0].status == "failed"
    broken.partial_fit(X, Y)
    assert autologged.runs()[0].status == "running"
    assert len(autologged.runs()) == 4
    owners().discard(broken)


def test_partial_fit_in_a_run_of_the_user_belongs_to_it(autologged: Store) -> None:
    with autologged.start_run("mine") as run:
        model = GaussianNB()
        for _ in range(2):
            model.partial_fit(X, Y, classes=[0, 1, 2])
        assert not run.ended
    assert {run.name for run in autologged.runs("parent is None")} == {"mine"}


def test_partial_fit_in_a_run_of_the_user_stays_in_it(autologged: Store) -> None:
    """From the second call on, each made a child of the user's run."""
    with autologged.start_run("mine"):
        model = SGDClassifier()
        for _ in range(4):
            model.partial_fit(X, Y, classes=[0, 1, 2])
        model.score(X[::2], Y[::2])
    (run,) = autologged.runs()
    assert (run.metrics["rows"].count, run.metrics["test_score"].count) == (4, 1)


def test_many_estimators_that_are_kept_hold_few_files_open_and_lose_nothing(
    autologged: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kept its file open as long as it lived: a model a sensor, and the user's own `open` failed."""
    monkeypatch.setattr("runlore_sklearn._owners.MAX_OPEN", 2)
    monkeypatch.setattr("runlore_sklearn._owners.MAX_WAITING", 3)
    before = len(os.listdir("/proc/self/fd"))
    models = [GaussianNB().partial_fit(X, Y, classes=[0, 1, 2]) for _ in range(6)]
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    for _ in range(4):
        models[0].partial_fit(X[:7], Y[:7])
    first = autologged.runs(sort="started")[0]
    assert first.metrics["rows"].values.tolist() == [150, 7, 7, 7]
    models[0].fit(X, Y)
    assert autologged.run(first.id).metrics["rows"].values.tolist() == [150, 7, 7, 7, 7]
    with pytest.raises(ValueError, match="features"):
        models[1].partial_fit(X[:, :2], Y)
    second = autologged.runs(sort="started")[1]
    assert (second.status, second.missing[-1]["what"]) == ("finished", "a call of partial_fit")
    assert len(autologged.runs()) == 7
    del models
    LinearRegression().fit(X, Y)
    assert {run.status for run in autologged.runs()} == {"finished"}


def test_what_waits_for_an_estimator_is_added_at_exit(store: Store, warm_python: Python) -> None:
    process = warm_python("""
        import runlore
        runlore.autolog()
        from sklearn.naive_bayes import GaussianNB
        import runlore_sklearn._owners
        runlore_sklearn._owners.MAX_OPEN = 1
        models = [GaussianNB() for _ in range(3)]
        for model in models * 2:
            model.partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])
    """)
    process.succeed()
    assert [run.metrics["rows"].count for run in store.runs()] == [2, 2, 2]
    assert {run.status for run in store.runs()} == {"finished"}


def test_a_script_that_keeps_a_partly_fitted_estimator_ends(store: Store, warm_python: Python) -> None:
    """Such a script hung at its end."""
    process = warm_python("""
        import runlore
        runlore.autolog()
        from sklearn.linear_model import SGDClassifier
        model = SGDClassifier()
        for _ in range(3):
            model.partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])
        print("done")
    """)
    assert process.succeed() == "done\n"
    assert [run.status for run in store.runs()] == ["finished"]


def test_a_warning_of_a_partial_fit_points_to_its_caller(autologged: Store) -> None:
    class Outdated(Own):
        def partial_fit(self, X: Any, y: Any) -> "Outdated":
            warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
            return self

    with pytest.warns(DeprecationWarning) as caught:
        Outdated().partial_fit(X, Y)
    assert [item.filename for item in caught] == [__file__]
