"""What is recorded of one fit, and of a score on other data afterwards."""

import io
import pickle
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import sklearn

from runlore import FitSession
from runlore_sklearn import _search, _tracking

NAME = "sklearn"
TRAIN_SCORE_ROWS = 10_000  # above which no train score is computed
MODEL_BYTES = 100 << 20  # above which the fitted model is not kept
CLASSES = 1_000  # names of classes that are recorded

Args = tuple[Any, ...]
Kwargs = Mapping[str, Any]


class Recording:
    """One recorded fit, from its call to its return."""

    def __init__(self, session: FitSession, estimator: Any, data: tuple[Any, Any]) -> None:
        self.session = session
        self._estimator = estimator
        self._data = data
        self._began = time.perf_counter()

    def end(self, error: BaseException | None) -> None:
        """Record the results, or the exception."""
        seconds = time.perf_counter() - self._began
        session = self.session
        try:
            session.metrics({"fit_seconds": seconds})
            if error is None:
                session.record(lambda session: record_results(session, self._estimator, self._data))
                _tracking.track(self._estimator, session.run, self._data[0])
        finally:  # also when Ctrl-C comes while the score is computed
            session.end(error)


def begin(estimator: Any, args: Args, kwargs: Kwargs) -> Recording | None:
    """Begin to record a fit; None where it is part of another, or of a kind that is not recorded."""
    if FitSession.in_fit() or not is_recorded(estimator):
        return None
    session = begin_session(estimator)
    if session is None:
        return None
    data = args[0] if args else kwargs.get("X"), args[1] if len(args) > 1 else kwargs.get("y")
    describe_data(session, data, args[2:], kwargs)
    return Recording(session, estimator, data)


def begin_session(estimator: Any, **tags: str) -> FitSession | None:
    """A session for an estimator, its parameters recorded; linked to the run of its fit before, if there was one."""
    before = _tracking.forget(estimator)
    tags = {"estimator": type(estimator).__name__, **tags}
    session = FitSession.begin(NAME, params=lambda: estimator_params(estimator), tags=tags)
    if session is not None and before is not None and before.run.id != session.run.id:
        session.link("refit_of", before.run)
    return session


def describe_data(session: FitSession, data: tuple[Any, Any], others: Args = (), kwargs: Kwargs | None = None) -> None:
    """Describe X, y, and what else fit is given that has rows, such as weights. Call it before the fit changes it."""
    named = {"X": data[0], "y": data[1]}
    if others:
        named["sample_weight"] = others[0]
    named |= {name: value for name, value in (kwargs or {}).items() if name not in ("X", "y")}
    for name, value in named.items():
        if value is not None and (name in ("X", "y") or hasattr(value, "shape") or isinstance(value, list)):
            session.data(name, value)


def is_recorded(estimator: Any) -> bool:
    """Whether a fit of its own makes a run: everything but a bare transformer."""
    kind = type(estimator)
    return any(hasattr(kind, name) for name in ("predict", "fit_predict")) or not hasattr(kind, "transform")


def estimator_params(estimator: Any) -> dict[str, Any]:
    """The parameters by scikit-learn's own names; parts that are estimators appear by class."""
    params: dict[str, Any] = {"sklearn_version": sklearn.__version__}
    for name, value in estimator.get_params(deep=True).items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            params[name] = type(value).__name__
        elif isinstance(value, list) and value and all(isinstance(item, tuple) for item in value):
            params[name] = [item[0] for item in value]  # the steps of a pipeline, whose parts follow by name
        else:
            params[name] = value
    return {name: _readable(value) if isinstance(value, dict) else value for name, value in params.items()}


def record_results(session: FitSession, estimator: Any, data: tuple[Any, Any]) -> None:
    """Everything that can be read off a fitted estimator, and its score on the training data."""
    session.record(lambda session: _record_iterations(session, estimator))
    session.record(lambda session: _record_classes(session, estimator))
    model = pickled(session, estimator)
    if model is not None:
        session.model(model, name="model.pkl")
    if hasattr(estimator, "cv_results_"):
        session.record(lambda session: _search.record_search(session, estimator))
    elif model is not None:
        session.record(lambda session: _record_train_score(session, model, data))


def record_score(estimator: Any, args: Args, kwargs: Kwargs, value: Any) -> None:
    """Attach a score on other data to the run that fitted the estimator; never raises."""
    tracked = _tracking.find(estimator)
    data = args[0] if args else kwargs.get("X")
    if tracked is None or (data is not None and tracked.data() is data):
        return
    if np.isscalar(value):
        FitSession.add_metrics(tracked.run, {"test_score": value}, split="test")


def _record_iterations(session: FitSession, estimator: Any) -> None:
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    iterations = getattr(last, "n_iter_", None)
    if iterations is not None:
        session.metrics({"n_iter": float(np.max(iterations))})


def _record_classes(session: FitSession, estimator: Any) -> None:
    classes = getattr(estimator, "classes_", None)
    if classes is None or isinstance(classes, list):  # of several outputs: y's columns tell them apart
        return
    session.data("y", n_classes=len(classes), classes=np.asarray(classes)[:CLASSES].tolist())


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


def _readable(value: dict[Any, Any]) -> str:
    """A mapping that is one value, such as a grid: not to be taken apart into params of its own."""
    try:
        return str(value)
    except Exception as error:  # a foreign object's repr
        return f"a dict that can't be shown: {type(error).__name__}"


class _TooLargeError(Exception):
    pass


class _Bounded(io.BytesIO):
    def write(self, data: Any, /) -> int:
        if self.tell() + memoryview(data).nbytes > MODEL_BYTES:
            raise _TooLargeError
        return super().write(data)
