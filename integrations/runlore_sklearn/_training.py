"""One recorded fit of an estimator, from its call to its return."""

import time
from typing import Any, Self

from runlore import FitSession, guest
from runlore_sklearn._checkpoints import pickled
from runlore_sklearn._data import Args, Data, Kwargs, copy_to_score, data_of, record_classes, record_data
from runlore_sklearn._framework import NAME
from runlore_sklearn._metrics import record_iterations, record_train_score
from runlore_sklearn._owners import owners
from runlore_sklearn._params import estimator_params
from runlore_sklearn._search import record_search


class Training:
    """A fit that is recorded, with a copy of its data to score, as the fit may change its data in place."""

    def __init__(self, session: FitSession, estimator: Any) -> None:
        self.session = session
        self._estimator = estimator
        self._data: Data = (None, None)
        self._trained_on: str | None = None
        self._began = time.perf_counter()

    @classmethod
    def begin(cls, estimator: Any, args: Args, kwargs: Kwargs) -> Self | None:
        """Open the run of a fit; None where the fit is part of another, or of a kind that is not recorded."""
        if guest.in_fit() or not makes_a_run(estimator):
            return None
        session = begin_session(estimator)
        if not session:
            return None
        training = cls(session, estimator)
        try:
            training.take_data(args, kwargs)
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise
        return training

    def take_data(self, args: Args, kwargs: Kwargs) -> None:
        """Describe and copy the data, before the fit may change it."""
        self.session.record(lambda _: self._describe(args, kwargs))
        self.session.record(lambda _: self._copy(*data_of(args, kwargs)))
        self._began = time.perf_counter()

    def end(self, error: BaseException | None) -> None:
        """Record the results, or the exception that the fit raised."""
        seconds = time.perf_counter() - self._began
        session = self.session
        try:
            session.metrics({"fit_seconds": seconds})
            if error is None:
                session.record(self._record_results)
                session.record(lambda session: owners().set(self._estimator, session, self._trained_on))
        finally:  # also when Ctrl-C comes while the score is computed
            session.end(error)

    def _describe(self, args: Args, kwargs: Kwargs) -> None:
        self._trained_on = record_data(self.session, args, kwargs)

    def _copy(self, features: Any, target: Any) -> None:
        self._data = (copy_to_score(features), copy_to_score(target))

    def _record_results(self, session: FitSession) -> None:
        """Record what can be read off the fitted estimator, the model itself, and its score on the training data."""
        estimator = self._estimator
        session.record(lambda session: record_iterations(session, estimator))
        session.record(lambda session: record_classes(session, estimator))
        model = pickled(session, estimator)
        if model is not None:
            session.keep_bytes(model, name="model.pkl", kind="model")
        if hasattr(estimator, "cv_results_"):
            session.record(lambda session: record_search(session, estimator))
        elif model is not None:
            session.record(lambda session: record_train_score(session, model, self._data))


def begin_session(estimator: Any, **tags: str) -> FitSession:
    """Begin a session for an estimator: its parameters are recorded, the run of the fit before is linked."""
    before = owners().discard(estimator)
    request = guest.FitRequest(
        tags={"estimator": type(estimator).__name__, **tags}, after=None if before is None else before.session.run
    )
    with guest.without_trace():  # get_params is the user's code, too
        return FitSession.begin(NAME, request, params=lambda: estimator_params(estimator))


def begin_validation(args: Args, method: str) -> FitSession | None:
    """Begin a session for a cross-validation, from the arguments of its first task: estimator, X and y."""
    if len(args) < 3:
        return None
    session = begin_session(args[0], method=method)
    if session:
        try:
            session.record(lambda session: _record_data(session, args[1:3]))
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise
    return session


def makes_a_run(estimator: Any) -> bool:
    """Return True if a fit of its own makes a run: that of everything but a bare transformer."""
    if not hasattr(type(estimator), "get_params"):
        return False
    try:
        predicts = any(_offers(estimator, name) for name in ("predict", "fit_predict"))
        return predicts or not _offers(estimator, "transform")
    except Exception:  # a class that raises when it is asked for its methods: it is fitted as without us
        return False


def _offers(estimator: Any, name: str) -> bool:
    """Return True if an estimator has a method; a pipeline has those of its last step."""
    return hasattr(type(estimator), name) and (not hasattr(estimator, "steps") or hasattr(estimator, name))


def _record_data(session: FitSession, args: Args) -> None:
    record_data(session, args, {})
