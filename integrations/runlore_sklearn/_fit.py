"""What is recorded of one fit, and of a score on other data afterwards."""

import io
import pickle
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sklearn

from runlore import FitSession

NAME = "sklearn"
TRAIN_SCORE_ROWS = 10_000  # above which no train score is computed
MODEL_BYTES = 100 << 20  # above which the fitted model is not kept
CHILDREN = 1_000  # candidates of a search that become runs of their own


class Recording:
    """One recorded fit, from its call to its return."""

    def __init__(self, session: FitSession, estimator: Any, data: tuple[Any, Any]) -> None:
        self._session = session
        self._estimator = estimator
        self._data = data
        self._began = time.perf_counter()

    def end(self, error: BaseException | None) -> None:
        """Record the results, or the exception."""
        seconds = time.perf_counter() - self._began
        session = self._session
        try:
            session.metrics({"fit_seconds": seconds})
            if error is None:
                session.record(lambda session: record_results(session, self._estimator, self._data))
                remember(self._estimator, session, self._data[0])
        finally:  # also when Ctrl-C comes while the score is computed
            session.end(error)


class _Tracked:
    """Which run a fitted estimator belongs to, without holding on to it."""

    __slots__ = ("data", "estimator", "run")

    def __init__(self, estimator: Any, run: Any, data: Any) -> None:
        key = id(estimator)
        self.estimator = weakref.ref(estimator, lambda _: _tracked.pop(key, None))
        self.run = run
        self.data: Callable[[], Any]
        try:
            self.data = weakref.ref(data)
        except TypeError:  # a list, say
            self.data = lambda: None


_tracked: dict[int, _Tracked] = {}  # by id, as estimators need not be hashable


def begin(estimator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Recording | None:
    """Begin to record a fit; None where it is part of another, or of a kind that is not recorded."""
    if FitSession.in_fit() or not is_recorded(estimator):
        return None
    session = FitSession.begin(
        NAME, name=None, params=lambda: estimator_params(estimator), tags={"estimator": type(estimator).__name__}
    )
    if session is None:
        return None
    data = args[0] if args else kwargs.get("X"), args[1] if len(args) > 1 else kwargs.get("y")
    return Recording(session, estimator, data)


def is_recorded(estimator: Any) -> bool:
    """Whether a fit of its own makes a run: everything but a bare transformer."""
    kind = type(estimator)
    return any(hasattr(kind, name) for name in ("predict", "fit_predict")) or not hasattr(kind, "transform")


def estimator_params(estimator: Any) -> dict[str, Any]:
    """The parameters by scikit-learn's own names; parts that are estimators appear by class."""
    params: dict[str, Any] = {}
    for name, value in estimator.get_params(deep=True).items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            params[name] = type(value).__name__
        elif isinstance(value, list) and value and all(isinstance(item, tuple) for item in value):
            params[name] = [item[0] for item in value]  # the steps of a pipeline, whose parts follow by name
        else:
            params[name] = value
    return {name: str(value) if isinstance(value, dict) else value for name, value in params.items()}


def record_results(session: FitSession, estimator: Any, data: tuple[Any, Any]) -> None:
    """Everything that can be read off a fitted estimator, and its score on the training data."""
    session.params({"sklearn_version": sklearn.__version__})
    session.record(lambda session: _record_iterations(session, estimator))
    model = pickled(session, estimator)
    if model is not None:
        session.model(model, name="model.pkl")
    if hasattr(estimator, "cv_results_"):
        session.record(lambda session: record_search(session, estimator))
    elif model is not None:
        session.record(lambda session: _record_train_score(session, model, data))


def record_search(session: FitSession, search: Any) -> None:
    """The best candidate on the run, and each candidate as a child: fold scores as points, mean, std and rank."""
    results = search.cv_results_
    if hasattr(search, "best_index_"):
        session.params({f"best.{name}": value for name, value in results["params"][search.best_index_].items()})
    if hasattr(search, "best_score_"):
        session.metrics({"best_score": search.best_score_})
    for place, params in enumerate(results["params"][:CHILDREN]):
        columns = {name: values[place] for name, values in results.items() if name != "params"}
        points = _fold_points(columns)
        points |= {
            name: [float(value)]  # type: ignore[arg-type]
            for name, value in columns.items()
            if name.startswith(("mean_", "std_", "rank_")) and np.isscalar(value)
        }
        scores = [value for name, values in points.items() if name.startswith("mean_test_") for value in values]
        failed = "no fold could be scored" if scores and all(np.isnan(scores)) else None
        session.child(f"candidate-{place}", params=params, points=points, tags={}, failed=failed)
    if len(results["params"]) > CHILDREN:
        session.missing(f"{len(results['params']) - CHILDREN} candidates", f"at most {CHILDREN} become runs")


def record_score(estimator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], value: Any) -> None:
    """Attach a score on other data to the run that fitted the estimator; never raises."""
    tracked = _tracked.get(id(estimator))
    data = args[0] if args else kwargs.get("X")
    if tracked is None or tracked.estimator() is not estimator or (data is not None and tracked.data() is data):
        return
    if np.isscalar(value):
        FitSession.add_metrics(tracked.run, {"test_score": value}, split="test")


def remember(estimator: Any, session: FitSession, data: Any) -> None:
    """Let scores that come later find the run."""
    try:
        _tracked[id(estimator)] = _Tracked(estimator, session.run, data)
    except TypeError:
        return  # a class without weak references: its scores stay unrecorded


def _fold_points(columns: Mapping[str, Any]) -> dict[str, list[float]]:
    """The scores per fold as one series: split0_test_score, split1_test_score → split_test_score."""
    points: dict[str, list[float]] = {}
    for name, value in columns.items():
        head, _, key = name.partition("_")
        if head.startswith("split") and head[5:].isdecimal():
            points.setdefault(f"split_{key}", []).append(float(value))
    return points


def _record_iterations(session: FitSession, estimator: Any) -> None:
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    iterations = getattr(last, "n_iter_", None)
    if iterations is not None:
        session.metrics({"n_iter": float(np.max(iterations))})


def _record_train_score(session: FitSession, model: bytes, data: tuple[Any, Any]) -> None:
    """Score a copy: a prediction may use up the estimator's own random state, or change it in other ways."""
    features, target = data
    rows = getattr(features, "shape", None) or (len(features) if hasattr(features, "__len__") else None,)
    if rows[0] is None or rows[0] > TRAIN_SCORE_ROWS or target is None:
        return
    with FitSession.without_trace():
        copy = pickle.loads(model)
        score = copy.score(features, target) if hasattr(copy, "score") else None
    if np.isscalar(score):
        session.metrics({"train_score": score}, split="train")


def pickled(session: FitSession, estimator: Any) -> bytes | None:
    """The fitted estimator; None, and the reason in the record, where it is too large or can't be pickled."""
    buffer = _Bounded()
    try:
        pickle.Pickler(buffer, protocol=5).dump(estimator)
    except _TooLargeError:
        session.missing("the fitted model", f"larger than {MODEL_BYTES >> 20} MiB when pickled")
    except Exception as error:  # an estimator's own pickling may raise anything
        session.missing("the fitted model", f"it can't be pickled: {type(error).__name__}: {error}")
    else:
        return buffer.getvalue()
    return None


class _TooLargeError(Exception):
    pass


class _Bounded(io.BytesIO):
    def write(self, data: Any, /) -> int:
        if self.tell() + memoryview(data).nbytes > MODEL_BYTES:
            raise _TooLargeError
        return super().write(data)
