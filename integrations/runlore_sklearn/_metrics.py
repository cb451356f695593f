"""Read numbers off a fitted estimator: iterations, curves of loss and score, its score on the training data."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import sklearn

from runlore import FitSession, guest
from runlore_sklearn._copies import CALLBACKS
from runlore_sklearn._data import MAX_SCORED_ROWS, Kwargs, Sample, score_arguments

MAX_DEPTH = 4  # of estimators within estimators
MAX_POINTS = 10_000  # of a curve
MAX_CURVES = 50
PLAIN = (bool, int, float, str, np.ndarray, np.generic)  # values of params that run no code
TASK = {
    "task_id_path", "parent_task_id_path", "estimator_name", "task_name", "task_id", "sequential_subtasks",
}  # fmt: skip  # fields of ScoringMonitor that are no scores
HISTORIES = {
    "loss_curve_": "loss", "validation_scores_": "validation_score", "validation_score_": "validation_score",
    "oob_scores_": "oob_score",
}  # fmt: skip  # fitted attributes with a number for each iteration, and how they are called here


def reporting(estimator: Any) -> Any:
    """Return the estimator that has something to tell: the last step of a pipeline, what a wrapper has fitted."""
    for _ in range(MAX_DEPTH):
        known = getattr(estimator, "__dict__", {})
        steps = known.get("steps")
        inner = steps[-1][1] if isinstance(steps, list) and steps else known.get("regressor_")
        if not hasattr(type(inner), "get_params") or not hasattr(inner, "__dict__"):
            break
        estimator = inner
    return estimator


def iterations(estimator: Any) -> dict[str, float]:
    """Return `n_iter_`, of an estimator that tells it."""
    found = getattr(reporting(estimator), "n_iter_", None)
    return {} if found is None else {"n_iter": float(np.max(found))}


def history(estimator: Any, *, is_told: bool = False) -> dict[str, Any]:
    """Return the curves of loss and score by iteration that an estimator keeps, also of sets that its fit was given.

    Those of such sets are left out where the integration of the estimator's own library has told them.
    """
    is_score = hasattr(estimator, "scoring")  # in boosting by histograms; else it is the loss
    named = HISTORIES | {"train_score_": "iteration_score" if is_score else "loss"}
    curves = {name: getattr(estimator, attribute) for attribute, name in named.items() if hasattr(estimator, attribute)}
    told = None if is_told else getattr(estimator, "evals_result_", None)  # of libraries for boosting
    for name, metrics in told.items() if isinstance(told, dict) else ():
        curves |= {f"{name}/{metric}": values for metric, values in metrics.items()}
    return {name: values for name, values in curves.items() if np.ndim(values) == 1 and len(values)}


def kept_history(estimator: Any) -> dict[str, Any]:
    """Return copies of the curves of an estimator: its next fit may go on with them."""
    return {name: np.array(item) for name, item in history(estimator).items()}


def starts_warm(estimator: Any) -> bool:
    """Return True for an estimator whose next fit goes on from the one before, if there was one."""
    return getattr(estimator, "warm_start", False) is True


def record_history(session: FitSession, estimator: Any, earlier: Mapping[str, Any]) -> None:
    """Record an estimator's curves by iteration; of one that goes on with an `earlier` one what is new."""
    curves = history(estimator, is_told=session.told_by is not None)
    longest, done = max(map(len, curves.values()), default=0), _done(estimator)
    known = {name: _known(values, earlier.get(name, ())) for name, values in curves.items()}
    counted = done in (longest, longest - max(known.values(), default=0))  # else a point is of the beginning
    steps = range(1, longest + 1) if counted else None
    record_curves(session, curves, steps, known)


def _known(values: Any, earlier: Any) -> int:
    """Return how many points of a curve are those of an earlier one."""
    count = len(earlier)
    return count if np.array_equal(np.asarray(values[:count]), earlier, equal_nan=True) else 0


def record_monitored(session: FitSession, estimator: Any) -> None:
    """Record the scores by iteration that scikit-learn's ScoringMonitor has computed on the training data."""
    for callback in vars(estimator).get(CALLBACKS) or ():
        if not hasattr(callback, "get_logs"):
            continue
        with suppress(ValueError):  # it has none
            rows = [row for row in callback.get_logs().data if row["task_name"] != "fit"]
            deepest = max((len(row["task_id_path"]) for row in rows), default=0)
            for row in [row for row in rows if len(row["task_id_path"]) == deepest][:MAX_POINTS]:
                scores = {f"iteration_{name}": row[name] for name in row.keys() - TASK}
                session.metrics(scores, step=row["task_id"], split="train")


def record_stop(session: FitSession, estimator: Any) -> None:
    """Record that a fit ended early, as its score on a validation part did not get better."""
    is_early = getattr(estimator, "early_stopping", getattr(estimator, "n_iter_no_change", None) is not None)
    planned = getattr(estimator, "max_iter", getattr(estimator, "n_estimators", None))
    done = _done(estimator)
    if getattr(estimator, "do_early_stopping_", is_early) is not True:
        return
    if isinstance(planned, int) and done is not None and done < planned:
        session.stopped(f"no better score in {estimator.n_iter_no_change} iterations", step=done)


def _done(estimator: Any) -> int | None:
    """Return how many iterations a fit has made; None where that is not told as one number."""
    found = getattr(estimator, "n_iter_", getattr(estimator, "n_estimators_", None))
    return int(found) if isinstance(found, int | np.integer) else None


def record_curves(
    session: FitSession,
    curves: Mapping[str, Any],
    steps: Sequence[Any] | None = None,
    known: Mapping[str, int] | None = None,
) -> None:
    """Record columns of numbers as curves, by step or by place; the first `known` ones of each are left out."""
    columns, first = dict(list(curves.items())[:MAX_CURVES]), known or {}
    longest = max(map(len, columns.values()), default=0)
    if longest > MAX_POINTS or len(curves) > MAX_CURVES:
        session.missing("parts of curves", f"at most {MAX_CURVES} of up to {MAX_POINTS:,} points are recorded")
    for place in range(min(longest, MAX_POINTS)):
        present = {name: values for name, values in columns.items() if first.get(name, 0) <= place < len(values)}
        numbers = {name: float(values[place]) for name, values in present.items()}
        if numbers:
            session.metrics(numbers, step=place if steps is None else int(steps[place]))


def record_train_score(session: FitSession, copy: Any, sample: Sample) -> None:
    """Score a copy on a copy: a prediction may use up a random state, print, or change what it is given."""
    params = copy.get_params()
    _make_quiet(copy, params)
    is_foreign = not _is_of_sklearn([copy, *params.values()])
    with guest.without_trace(draws=is_foreign, prints=is_foreign):
        score = _score(copy, sample) if is_foreign else _own_score(copy, sample)
    if np.isscalar(score):
        session.metrics({"train_score": score}, split="train")


def _score(copy: Any, sample: Sample) -> Any:
    given = (sample.features,) if sample.target is None else (sample.features, sample.target)
    return copy.score(*given, **sample.others)


def _own_score(copy: Any, sample: Sample) -> Any:
    """Score an estimator of scikit-learn's own on what its fit has accepted, which is not checked for NaN again.

    The checks take a third of a short score. A score that is no number is computed with them: they say what is wrong.
    """
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        score = _score(copy, sample)
    return score if not np.isscalar(score) or np.isfinite(score) else _score(copy, sample)


def record_iteration_score(session: FitSession, step: int, fitted: Any, data: tuple[Any, Any], others: Kwargs) -> None:
    """Score an estimator in the midst of its fit on the training data, if that is small enough."""
    features, target = data
    if features.shape[0] > MAX_SCORED_ROWS or not hasattr(fitted, "score"):
        return
    with guest.without_trace(draws=True, prints=True), guest.unrecorded():
        score = fitted.score(features, target, **score_arguments(fitted, others))
    if np.isscalar(score):
        session.metrics({"iteration_score": score}, step=step, split="train")


def partial_numbers(estimator: Any, features: Any, seconds: float) -> dict[str, float]:
    """Return what a call of `partial_fit` tells: its time, its rows, and the loss of an estimator that tells it."""
    rows = getattr(features, "shape", None) or (len(features) if features is not None else 0,)
    numbers = {"partial_fit_seconds": seconds, "rows": float(rows[0])}
    with guest.without_trace():
        loss = getattr(estimator, "loss_", None)
    if np.isscalar(loss) and not isinstance(loss, str):
        numbers["loss"] = float(loss)  # type: ignore[arg-type]
    return numbers


def _is_of_sklearn(value: Any) -> bool:
    """Return True for an estimator's param that runs no code but scikit-learn's own; functions may do anything.

    Once it is quiet, such an estimator neither draws from a global generator nor prints, and needs no guard against it:
    to read the state of numpy's generator takes as long as a short score.
    """
    if isinstance(value, list | tuple):
        return all(map(_is_of_sklearn, value))
    if hasattr(type(value), "get_params"):
        return type(value).__module__.startswith("sklearn.")
    return value is None or isinstance(value, PLAIN)


def _make_quiet(estimator: Any, params: Mapping[str, Any]) -> None:
    """Let predictions neither draw from the global generator nor print, in all parts of an estimator."""
    for name, value in params.items():
        path, _, last = name.rpartition("__")
        if (last == "random_state" and value is None) or (last == "verbose" and _is_loud(value)):
            setattr(params[path] if path else estimator, last, 0)  # a library's `set_params` may touch what was fitted
    for member in _members(estimator):  # which have copies of their own
        if "random_state" in member and member["random_state"] is None:
            member["random_state"] = 0
        if "verbose" in member:
            member["verbose"] = 0


def _is_loud(verbose: Any) -> bool:
    return not isinstance(verbose, np.ndarray) and bool(verbose)


def _members(ensemble: Any) -> Iterator[Any]:
    """Yield the attributes of the fitted members of an ensemble, which are in a list or an array."""
    members = getattr(ensemble, "estimators_", None)
    for member in members.flat if isinstance(members, np.ndarray) else members if isinstance(members, list) else ():
        if hasattr(member, "__dict__"):
            yield vars(member)
