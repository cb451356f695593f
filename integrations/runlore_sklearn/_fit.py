"""What is recorded of one fit, and of a score on other data afterwards."""

import io
import pickle
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore_sklearn import _search, _tracking
from runlore_sklearn._params import estimator_params

NAME = "sklearn"
TRAIN_SCORE_ROWS = 10_000  # above which no train score is computed
TRAIN_SCORE_BYTES = 64 << 20
MODEL_BYTES = 100 << 20  # above which the fitted model is not kept
CLASSES = 1_000  # names of classes that are recorded
TESTS = 5  # datasets that an estimator is scored on and that are described

Args = tuple[Any, ...]
Kwargs = Mapping[str, Any]


class Recording:
    """One recorded fit, from its call to its return."""

    def __init__(self, session: FitSession, estimator: Any) -> None:
        self.session = session
        self._estimator = estimator
        self._data: tuple[Any, Any] = (None, None)  # copies to score, as the fit may change its data in place
        self._trained_on: str | None = None
        self._began = time.perf_counter()

    def take_data(self, args: Args, kwargs: Kwargs) -> None:
        """Describe the data, before the fit may change it."""
        data = args[0] if args else kwargs.get("X"), args[1] if len(args) > 1 else kwargs.get("y")
        self.session.record(lambda session: self._describe(data, args[2:], kwargs))
        self.session.record(lambda session: self._copy(data))
        self._began = time.perf_counter()

    def end(self, error: BaseException | None) -> None:
        """Record the results, or the exception."""
        seconds = time.perf_counter() - self._began
        session = self.session
        try:
            session.metrics({"fit_seconds": seconds})
            if error is None:
                session.record(lambda session: record_results(session, self._estimator, self._data))
                session.record(lambda session: _tracking.track(self._estimator, session.run, self._trained_on))
        finally:  # also when Ctrl-C comes while the score is computed
            session.end(error)

    def _describe(self, data: tuple[Any, Any], others: Args, kwargs: Kwargs) -> None:
        self._trained_on = describe_data(self.session, data, others, kwargs)

    def _copy(self, data: tuple[Any, Any]) -> None:
        self._data = (_small_copy(data[0]), _small_copy(data[1]))


def begin(estimator: Any, args: Args, kwargs: Kwargs) -> Recording | None:
    """Begin to record a fit; None where it is part of another, or of a kind that is not recorded."""
    try:
        if guest.in_fit() or not is_recorded(estimator):
            return None
    except Exception:  # a class that raises when it is asked for its methods: it is fitted as without us
        return None
    session = begin_session(estimator)
    if not session:
        return None
    recording = Recording(session, estimator)
    try:
        recording.take_data(args, kwargs)
    except BaseException as error:  # Ctrl-C while the data is read
        session.end(error)
        raise
    return recording


def begin_session(estimator: Any, **tags: str) -> FitSession:
    """A session for an estimator, its parameters recorded; linked to the run of its fit before, if there was one."""
    before = _tracking.forget(estimator)
    tags = {"estimator": type(estimator).__name__, **tags}
    with guest.without_trace():  # get_params is the user's code, too
        return FitSession.begin(
            NAME,
            guest.FitRequest(tags=tags, after=None if before is None else before.run),
            params=lambda: estimator_params(estimator),
        )


def describe_data(
    session: FitSession, data: tuple[Any, Any], others: Args = (), kwargs: Kwargs | None = None
) -> str | None:
    """Describe X, y, and what else fit is given that has rows, such as weights; the fingerprint of X."""
    named = {"X": data[0], "y": data[1]}
    if others:
        named["sample_weight"] = others[0]
    named |= {name: value for name, value in (kwargs or {}).items() if name not in ("X", "y")}
    prints = {}
    for name, value in named.items():
        if value is not None and (name in ("X", "y") or hasattr(value, "shape") or isinstance(value, list)):
            prints[name] = session.data(name, value)
    return prints.get("X")


def is_recorded(estimator: Any) -> bool:
    """Whether a fit of its own makes a run: everything but a bare transformer."""
    if not hasattr(type(estimator), "get_params"):
        return False
    return any(_offers(estimator, name) for name in ("predict", "fit_predict")) or not _offers(estimator, "transform")


def record_results(session: FitSession, estimator: Any, data: tuple[Any, Any]) -> None:
    """Everything that can be read off a fitted estimator, and its score on the training data."""
    with guest.without_trace():
        session.record(lambda session: _record_iterations(session, estimator))
        session.record(lambda session: _record_classes(session, estimator))
        model = pickled(session, estimator)
        if model is not None:
            session.keep_bytes(model, name="model.pkl", kind="model")
        if hasattr(estimator, "cv_results_"):
            session.record(lambda session: _search.record_search(session, estimator))
        elif model is not None:
            session.record(lambda session: _record_train_score(session, model, data))


def record_score(estimator: Any, args: Args, kwargs: Kwargs, value: Any) -> None:
    """Attach a score on other data to the run that fitted the estimator, and describe the data; never raises."""
    tracked = _tracking.find(estimator)
    if tracked is None or not np.isscalar(value):
        return
    known = len(tracked.tested_on)
    if known < TESTS:
        name = "test" if not known else f"test_{known + 1}"
        found = guest.describe(args[0] if args else kwargs.get("X"))
        if found is not None and found.fingerprint == tracked.trained_on:
            return
        if found is not None and found.fingerprint not in tracked.tested_on:
            tracked.tested_on.append(found.fingerprint)
            Additions(tracked.run).data(name, found)
    Additions(tracked.run).metrics({"test_score": value}, split="test")


def _offers(estimator: Any, name: str) -> bool:
    """Whether an estimator has a method; a pipeline has those of its last step."""
    return hasattr(type(estimator), name) and (not hasattr(estimator, "steps") or hasattr(estimator, name))


def _small_copy(data: Any) -> Any:
    """A copy of data that is small enough to be scored; None for other data."""
    shape = getattr(data, "shape", None) or ((len(data),) if isinstance(data, list | tuple) else None)
    if not shape or shape[0] > TRAIN_SCORE_ROWS or getattr(data, "nbytes", 0) > TRAIN_SCORE_BYTES:
        return None
    if isinstance(data, list | tuple):
        return [list(item) if isinstance(item, list) else item for item in data]
    return data.copy() if hasattr(data, "copy") else data.clone() if hasattr(data, "clone") else None


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
    """Score a copy on a copy: a prediction may use up a random state, print, or change what it is given."""
    features, target = data
    if features is None or target is None:
        return
    copy = pickle.loads(model)
    _make_quiet(copy)
    with guest.without_trace(draws=True):
        score = copy.score(features, target) if hasattr(copy, "score") else None
    if np.isscalar(score):
        session.metrics({"train_score": score}, split="train")


def _make_quiet(estimator: Any) -> None:
    """Let a prediction neither draw from the global generator nor print: by random_state and verbose of all parts."""
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
