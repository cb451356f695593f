"""One recorded fit of an estimator, from its call to its return."""

import time
from types import TracebackType
from typing import Any, Self

from runlore import FitSession, guest
from runlore.guest.wrapping import token_of
from runlore_sklearn._copies import MAX_KNOWN_BYTES, TooLarge, copies, copy_of, pickled
from runlore_sklearn._data import Args, Named, NotScored, Sample, record_classes, record_data, sample_of
from runlore_sklearn._framework import NAME
from runlore_sklearn._histories import epochs_of, record_epochs
from runlore_sklearn._metrics import (
    iterations,
    kept_history,
    record_history,
    record_monitored,
    record_stop,
    record_train_score,
    reporting,
    starts_warm,
)
from runlore_sklearn._owners import owners
from runlore_sklearn._params import estimator_params
from runlore_sklearn._search import record_search
from runlore_sklearn._selection import is_search, record_selection

SCORE = "train_score"


class Training:
    """A fit that is recorded, as a block or from its construction to `end`."""

    def __init__(self, session: FitSession, estimator: Any) -> None:
        self.session = session
        session.trains = token_of(reporting(estimator))  # whose own library may tell its iterations
        self._estimator = estimator
        self._sample: Sample | None = None
        self._unscored = ""  # why there is none, where a score is expected
        self._trained_on: str | None = None
        self._earlier: dict[str, Any] = {}  # curves that the fit goes on with
        self._epochs = 0  # in the history that it goes on with
        self._began = time.perf_counter()

    @classmethod
    def begin(cls, estimator: Any, named: Named) -> Self | None:
        """Open the run of a fit; None where the fit is part of another, or of a kind that is not recorded."""
        if guest.in_fit() or not makes_a_run(estimator):
            return None
        session = begin_session(estimator)
        if not session:
            return None
        training = cls(session, estimator)
        try:
            training.take_data(named)
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise
        return training

    def take_data(self, named: Named) -> None:
        """Describe and copy the data, before the fit may change it."""
        self.session.record(lambda _: self._describe(named))
        self.session.record(lambda _: self._copy(named))
        self.session.record(lambda _: self._note_earlier())
        self._began = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error)

    @guest.harmless
    def end(self, error: BaseException | None) -> None:
        """Record the results, or the exception that the fit raised."""
        numbers = {"fit_seconds": time.perf_counter() - self._began}
        session = self.session
        try:
            if error is None:
                session.record(lambda _: numbers.update(iterations(self._estimator)))
            session.metrics(numbers)
            if error is None:
                session.record(self._record_results)
                session.record(lambda session: owners().set(self._estimator, session, self._trained_on))
        finally:  # also when Ctrl-C comes while the score is computed
            session.end(error)

    def _describe(self, named: Named) -> None:
        self._trained_on = record_data(self.session, named)

    def _note_earlier(self) -> None:
        telling = reporting(self._estimator)
        if starts_warm(telling):
            self._earlier, self._epochs = kept_history(telling), epochs_of(telling)

    def _copy(self, named: Named) -> None:
        try:
            self._sample = sample_of(self._estimator, named)
        except NotScored as error:
            self._unscored = str(error)

    def _record_results(self, session: FitSession) -> None:
        """Record what can be read off the fitted estimator, the model itself, and its score on the training data."""
        estimator, telling = self._estimator, reporting(self._estimator)
        session.record(lambda session: record_epochs(session, telling, self._epochs))
        session.record(lambda session: record_classes(session, estimator))
        session.record(lambda session: record_history(session, telling, self._earlier))
        session.record(lambda session: _record_told(session, telling))
        if is_search(telling):
            session.record(lambda session: record_search(session, telling))
        try:
            model = pickled(session, estimator)
        except TooLarge as error:
            model, self._sample, self._unscored = None, None, f"the model is {error}"
        if model is not None:
            session.keep_bytes(model, name="model.pkl", kind="model")
            if len(model) <= MAX_KNOWN_BYTES:
                copies().note(estimator, session, self._trained_on)
        if not is_search(estimator):
            self._score(session, model)

    def _score(self, session: FitSession, model: bytes | None) -> None:
        try:
            if self._sample is not None:
                record_train_score(session, copy_of(self._estimator, model), self._sample)
        except (Exception, SystemExit) as error:  # the user's own pickling, and the user's own score
            self._unscored = f"{type(error).__name__}: {error}"
        if self._unscored:
            session.missing(SCORE, self._unscored)


def _record_told(session: FitSession, estimator: Any) -> None:
    """Record what only some estimators tell: scores by iteration, why they stopped, what they chose."""
    for record in (record_monitored, record_stop, record_selection):
        record(session, estimator)


def begin_session(estimator: Any, **tags: str) -> FitSession:
    """Begin a session for an estimator: its parameters are recorded, the run of the fit before is linked."""
    before = owners().discard(estimator)
    request = guest.FitRequest(
        tags={"estimator": type(estimator).__name__, **tags}, after=None if before is None else before.session.run
    )
    with guest.without_trace():  # get_params is the user's code, too
        return FitSession.begin(NAME, request, params=lambda: estimator_params(estimator))


def begin_validation(args: Args, named: Named, method: str) -> FitSession | None:
    """Begin a session for a cross-validation, from the arguments of its first task: estimator, X and y, and others."""
    if len(args) < 3:
        return None
    session = begin_session(args[0], method=method)
    if session:
        try:
            session.record(lambda session: _record_data(session, args, named))
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
    except Exception:  # it raises when it is asked for its methods, as a pipeline with a wrong step does
        return True


def _offers(estimator: Any, name: str) -> bool:
    """Return True if an estimator has a method; a pipeline has those of its last step."""
    return hasattr(type(estimator), name) and (not hasattr(estimator, "steps") or hasattr(estimator, name))


def _record_data(session: FitSession, args: Args, named: Named) -> None:
    record_data(session, {"X": args[1], "y": args[2], **(named.get("fit_params") or {})})
