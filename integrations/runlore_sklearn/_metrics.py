"""Read numbers off a fitted estimator: iterations, the loss, and its score on the training data."""

import pickle
from typing import Any

import numpy as np

from runlore import FitSession, guest
from runlore_sklearn._data import MAX_SCORED_ROWS, Data


def record_iterations(session: FitSession, estimator: Any) -> None:
    """Record `n_iter_`; of a pipeline that of its last step."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    iterations = getattr(last, "n_iter_", None)
    if iterations is not None:
        session.metrics({"n_iter": float(np.max(iterations))})


def record_train_score(session: FitSession, model: bytes, data: Data) -> None:
    """Score an unpickled copy on a copy: a prediction may use up a random state, print, or change what it is given."""
    features, target = data
    if features is None or target is None:
        return
    copy = pickle.loads(model)
    _make_quiet(copy)
    with guest.without_trace(draws=True):
        score = copy.score(features, target) if hasattr(copy, "score") else None
    if np.isscalar(score):
        session.metrics({"train_score": score}, split="train")


def record_iteration_score(session: FitSession, step: int, fitted: Any, data: Data) -> None:
    """Score an estimator in the midst of its fit on the training data, if that is small enough."""
    features, target = data
    if features.shape[0] > MAX_SCORED_ROWS or not hasattr(fitted, "score"):
        return
    with guest.without_trace(draws=True), guest.unrecorded():
        score = fitted.score(features, target)
    if np.isscalar(score):
        session.metrics({"iteration_score": score}, step=step, split="train")


def record_partial(session: FitSession, estimator: Any, features: Any, seconds: float) -> None:
    """Record a call of `partial_fit`: its time, its rows, and the loss of an estimator that tells it."""
    rows = getattr(features, "shape", None) or (len(features) if features is not None else 0,)
    numbers = {"partial_fit_seconds": seconds, "rows": float(rows[0])}
    with guest.without_trace():
        loss = getattr(estimator, "loss_", None)
    if np.isscalar(loss) and not isinstance(loss, str):
        numbers["loss"] = float(loss)  # type: ignore[arg-type]
    session.metrics(numbers)


def _make_quiet(estimator: Any) -> None:
    """Let predictions neither draw from the global generator nor print, in all parts of an estimator."""
    changes: dict[str, Any] = {}
    for name, value in estimator.get_params().items():
        last = name.rpartition("__")[2]
        if (last == "random_state" and value is None) or (last == "verbose" and value):
            changes[name] = 0
    if changes:
        estimator.set_params(**changes)
    for name in ("random_state", "verbose"):  # fitted members have copies of their own
        for member in getattr(estimator, "estimators_", None) or ():
            if name in getattr(member, "__dict__", {}) and (name == "verbose" or member.random_state is None):
                setattr(member, name, 0)
