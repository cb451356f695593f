"""Estimators and data that break things are fitted as without us, and recorded as far as possible."""

import copy
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

import runlore
from runlore import RunloreWarning, Store, guest
from tests.sklearn.models import Own, X, Y, only

DUPLICATES = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])

MIXED = np.array([[1, "a"], [None, 2.5]], dtype=object)


class Nasty(Own):
    """Breaks everything that a tracker may touch."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        raise RuntimeError("no params for you")

    def __getstate__(self) -> Any:
        raise RuntimeError("no pickle for you")

    def score(self, *args: Any, **kwargs: Any) -> float:
        raise RuntimeError("no score for you")


def test_an_estimator_that_breaks_everything_is_fitted_and_the_rest_recorded(autologged: Store) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the run tells it; training is not disturbed
        model = Nasty().fit(X, Y)
    assert model.classes_.tolist() == [0, 1, 2]
    (run,) = autologged.runs()
    assert run.status == "finished"
    assert any("can't be pickled" in item["why"] for item in run.missing)
    assert any("no params for you" in item["why"] for item in run.missing)


def outcome(fit: Callable[[], Any]) -> tuple[str, str]:
    """What a fit ends in: a predicting model, or an exception, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = repr(vars(fit()))
        except Exception as error:  # noqa: BLE001  # any: it has to be the same one
            result = f"{type(error)}: {error}"
    return result, repr([(item.category, str(item.message)) for item in caught if item.category is not RunloreWarning])


class Lenient(Own):
    """Takes any X at all."""

    def fit(self, X: Any, y: Any = None) -> "Lenient":
        self.first_ = next(iter(X)) if hasattr(X, "__next__") else None
        return self


@pytest.mark.parametrize(
    ("fit", "named"),
    [
        (lambda: Lenient().fit(number for number in range(3)), "data X"),
        (lambda: DummyClassifier().fit(np.empty((0, 2)), []), None),
        (lambda: LinearRegression().fit(np.empty((0, 2)), np.empty(0)), None),
        (lambda: DummyClassifier().fit(MIXED, [0, 1]), None),
        (lambda: LinearRegression().fit(MIXED, [0, 1]), None),
        (lambda: LinearRegression().fit(DUPLICATES, [0, 1]), None),
        (lambda: DummyClassifier().fit(None, [0, 1]), None),
        (lambda: LogisticRegression(C=-1).fit(X, Y), None),
        (lambda: LinearRegression().fit("text", Y), "data X"),
    ],
    ids=["generator", "empty", "empty 2", "mixed", "mixed 2", "duplicates", "none", "invalid params", "text"],
)
def test_odd_data_is_fitted_as_without_us(store: Store, fit: Callable[[], Any], named: str | None) -> None:
    without = outcome(fit)
    with runlore.autolog():
        assert outcome(fit) == without
    run = only(store)
    assert run.status == ("failed" if "<class" in without[0][:6] else "finished")
    if named:
        assert named in {item["what"] for item in run.missing}


class Huge(Own):
    def __init__(self, thing: Any = None) -> None:
        self.thing = thing

    def fit(self, X: Any, y: Any) -> "Huge":
        self.classes_ = np.unique(y)
        return self


class Loud:
    def __repr__(self) -> str:
        return "x" * (1 << 20)


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Mutating(Own):
    def fit(self, X: Any, y: Any) -> "Mutating":
        super().fit(X, y)
        self.shift = 99.0
        return self


class NoParams(Own):
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        raise RuntimeError("no params")


class NoPickle(Own):
    def fit(self, X: Any, y: Any) -> "NoPickle":
        super().fit(X, y)
        self.lock_ = threading.Lock()
        return self


@pytest.mark.parametrize(
    "estimator", [Huge(Loud()), Huge(Silent()), Huge({"a": Silent()}), Mutating(), NoParams(), NoPickle()]
)
def test_estimators_that_break_things_are_fitted_as_without_us(store: Store, estimator: Any) -> None:
    fresh = copy.deepcopy(estimator)
    without = fresh.fit(X, Y).predict(X[:3])
    with runlore.autolog(), warnings.catch_warnings():
        warnings.simplefilter("ignore", RunloreWarning)
        assert (estimator.fit(X, Y).predict(X[:3]) == without).all()
    run = only(store)
    assert run.status == "finished"
    assert run.data["X"]["rows"] == 150
    if isinstance(estimator, Huge):
        assert len(str(run.params["thing"])) < 2000
    if isinstance(estimator, Mutating):
        assert (run.params["shift"], estimator.shift) == (0.0, 99.0)
    if isinstance(estimator, NoParams):
        assert any("no params" in item["why"] for item in run.missing)
    if isinstance(estimator, NoPickle):
        assert any("can't be pickled" in item["why"] for item in run.missing)


def test_static_methods_and_objects_that_raise_are_left_alone(autologged: Store) -> None:
    """A static `score` was called with its class, and an argument whose `shape` raises cost the fit."""

    class Static(Own):
        @staticmethod
        def score(a: int, b: int) -> int:  # type: ignore[override]
            return a + b

    class Handle:
        @property
        def shape(self) -> Any:
            raise RuntimeError("closed file")

    class Extra(Own):
        def fit(self, X: Any, y: Any, extra: Any = None) -> "Extra":
            super().fit(X, y)
            return self

    assert Static().score(1, 2) == 3
    Extra().fit(X, Y, extra=Handle())
    Own().fit(X, Y)
    assert [run.status for run in autologged.runs()] == ["finished", "finished"]


@pytest.mark.parametrize("broken", ["begin_session", "record_data", "sample_of", "iterations", "owners", "pickled"])
def test_a_recorder_that_breaks_costs_no_fit(autologged: Store, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(f"runlore_sklearn._training.{broken}", fail)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunloreWarning)
        assert (Own(shift=1).fit(X, Y).predict(X[:3]) == 0).all()
    assert not guest.in_fit()
