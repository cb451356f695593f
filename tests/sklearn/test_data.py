"""The data of a fit is described before the fit may change it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from runlore import Store
from tests.sklearn.models import X, Y, only


@pytest.mark.shows("sklearn", "data")
def test_the_data_and_the_classes_are_told(autologged: Store) -> None:
    frame = load_breast_cancer(as_frame=True).frame
    features, target = frame.drop(columns="target"), frame["target"]
    DecisionTreeClassifier(max_depth=2).fit(features, target)
    run = only(autologged)
    assert run.data["X"]["shape"] == [569, 30]
    assert run.data["X"]["dtypes"] == "float64"
    assert run.data["X"]["columns"][0] == "mean radius"
    assert run.data["X"]["missing"] == 0
    assert len(str(run.data["X"]["fingerprint"])) == 64
    assert (run.data["y"]["classes"], run.data["y"]["n_classes"]) == ([0, 1], 2)
    assert run.params["sklearn_version"] == sklearn.__version__


def test_sample_weights_are_told_by_position_and_by_name(autologged: Store) -> None:
    weights = np.ones(len(Y))
    LinearRegression().fit(X, Y, weights)
    LinearRegression().fit(X, Y, sample_weight=weights)
    first, second = autologged.runs()
    assert first.data["sample_weight"] == second.data["sample_weight"]
    assert first.data["sample_weight"]["rows"] == 150


def test_data_that_a_fit_changes_in_place_is_described_as_it_was(autologged: Store) -> None:
    class Changing(BaseEstimator):
        def fit(self, X: Any, y: Any = None) -> "Changing":
            X[:] = 0
            return self

        def predict(self, X: Any) -> Any:
            return X

    data = X.copy()
    Changing().fit(data)
    LinearRegression().fit(X, Y)
    second, first = autologged.runs()
    assert first.data["X"]["fingerprint"] == second.data["X"]["fingerprint"]


@pytest.mark.parametrize(
    "data",
    [
        X, pd.DataFrame(X, columns=list("abcd")), pl.DataFrame(X, schema=list("abcd")), sp.csr_matrix(X), X.tolist(),
        sp.csc_array(X), np.asfortranarray(X), X.astype("f4"),
    ],
    ids=["numpy", "pandas", "polars", "csr", "list", "csc", "fortran", "float32"],
)  # fmt: skip
def test_every_kind_of_data_is_fitted_and_described(autologged: Store, data: Any) -> None:
    DecisionTreeClassifier(random_state=0).fit(data, Y)
    run = only(autologged)
    assert run.data["X"]["shape"] == [150, 4]
    assert run.metrics["train_score"].last == 1.0


def test_a_memory_map_is_fitted_and_described(autologged: Store, tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "x.dat", dtype="f8", mode="w+", shape=X.shape)
    mapped[:] = X
    LinearRegression().fit(mapped, Y)
    assert only(autologged).data["X"]["kind"] == "numpy.memmap"


def test_the_training_data_may_be_a_gigabyte_of_nothing_and_is_not_copied(
    autologged: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runlore.plugins.data.MAX_HASHED_BYTES", 1 << 20)
    data = np.zeros((300_000, 4))
    DummyClassifier().fit(data, np.zeros(300_000))
    run = autologged.runs()[0]
    assert run.data["X"]["sampled"] is True
    assert run.data["y"]["sampled"] is True
    assert "missing" not in run.data["X"]
