"""The epochs that an estimator tells in its `history_`, as skorch's do."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import runlore
from runlore import Store


class Told(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Tells its epochs as skorch does."""

    def fit(self, X: Any, y: Any) -> "Told":
        self.history_ = [
            {"epoch": epoch, "dur": 0.1, "batches": [{"train_loss": 1.0}], "train_batch_count": 2,
             "train_loss": 1.0 / epoch, "train_loss_best": True, "valid_loss": 2.0 / epoch}
            for epoch in (1, 2)
        ]  # fmt: skip
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X))


def test_the_rows_of_a_history_are_curves(store: Store) -> None:
    """The losses of a net in a pipeline were nowhere in its run."""
    rows = np.arange(8.0).reshape(4, 2)
    with runlore.autolog("sklearn"):
        make_pipeline(StandardScaler(), Told()).fit(rows, rows[:, 0])
    (run,) = store.runs()
    assert run.metrics["train_loss"].values.tolist() == [1.0, 0.5]
    assert (run.metrics["valid_loss"].steps.tolist(), run.metrics["valid_loss"].epochs.tolist()) == ([1, 2], [1, 2])
    assert set(run.metrics) == {"train_loss", "valid_loss", "fit_seconds", "train_score"}
    assert run.missing == []


class Warm(Told):
    """Goes on with its epochs, as skorch's nets do with `warm_start`."""

    def __init__(self, warm_start: bool = True) -> None:
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any) -> "Warm":
        before = getattr(self, "history_", []) if self.warm_start else []
        self.history_ = [*before, {"epoch": len(before) + 1, "train_loss": 1.0}]
        return self


def test_a_warm_start_tells_the_new_rows(store: Store) -> None:
    rows = np.arange(8.0).reshape(4, 2)
    with runlore.autolog("sklearn"):
        net = Warm()
        for _ in range(2):
            net.fit(rows, rows[:, 0])
        net.set_params(warm_start=False).fit(rows, rows[:, 0])
    steps = [run.metrics["train_loss"].steps.tolist() for run in reversed(store.runs())]
    assert steps == [[1], [2], [1]]


class Partly(Warm):
    def partial_fit(self, X: Any, y: Any) -> "Partly":
        self.warm_start = True
        return self.fit(X, y)  # type: ignore[return-value]


def test_what_partial_fit_adds_to_a_history_is_in_its_run(store: Store) -> None:
    """skorch goes on by it, and its losses were nowhere."""
    rows = np.arange(8.0).reshape(4, 2)
    with runlore.autolog("sklearn"):
        net = Partly(warm_start=False).fit(rows, rows[:, 0])
        for _ in range(3):
            net.partial_fit(rows, rows[:, 0])
    whole, parts = reversed(store.runs())
    assert whole.metrics["train_loss"].steps.tolist() == [1]
    assert (parts.metrics["train_loss"].steps.tolist(), parts.metrics["train_loss"].epochs.tolist()) == ([2, 3, 4],) * 2
    assert parts.metrics["rows"].count == 3


class Odd(Told):
    def fit(self, X: Any, y: Any) -> "Odd":
        self.history_: Any = [3, {"text": "no number"}, {}]
        return self


def test_other_histories_are_left_alone(store: Store) -> None:
    with runlore.autolog("sklearn"):
        Odd().fit(np.ones((4, 2)), np.ones(4))
    (run,) = store.runs()
    assert (set(run.metrics), run.missing) == ({"fit_seconds", "train_score"}, [])
