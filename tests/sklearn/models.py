"""An estimator of somebody's own, and data."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from runlore import Store
from runlore.store.runs import RecordedRun

X, Y = load_iris(return_X_y=True)


class Own(ClassifierMixin, BaseEstimator):
    """Somebody's own estimator."""

    def __init__(self, shift: float = 0.0, fail: bool = False) -> None:
        self.shift = shift
        self.fail = fail

    def fit(self, X: Any, y: Any) -> "Own":
        if self.fail:
            raise RuntimeError("the data is cursed")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])


def only(store: Store) -> RecordedRun:
    (run,) = store.runs()
    return run


def tree(depth: int = 2) -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=depth, random_state=0)
