"""Record `partial_fit`: many calls, one run, a point per call."""

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore_sklearn._data import Named, record_data
from runlore_sklearn._histories import epochs_of, record_epochs
from runlore_sklearn._metrics import partial_numbers
from runlore_sklearn._owners import Owner, owners
from runlore_sklearn._training import begin_session, makes_a_run


class PartialFit:
    """A call of `partial_fit`, as a block. The run stays open until the estimator is gone or fitted anew."""

    def __init__(self, session: FitSession, owner: Owner | None, estimator: Any, features: Any) -> None:
        self._session = session
        self._owner = owner  # None in the first call
        self._estimator = estimator
        self._features = features
        self._epochs = epochs_of(estimator)
        self._began = time.perf_counter()

    @classmethod
    def begin(cls, estimator: Any, named: Named) -> "AbstractContextManager[Any] | None":
        """Go on with the run of the calls before, or begin one; None where nothing is recorded."""
        owner = owners().of(estimator)
        if owner is not None and owner.goes_on and owner.waiting is not None:
            return LatePart(owner, estimator, named.get("X"))
        if owner is not None and owner.goes_on and not owner.session.run.ended:
            owners().use(owner, under_way=True)
            owner.session.resume()
            return cls(owner.session, owner, estimator, named.get("X"))
        session = begin_session(estimator) if makes_a_run(estimator) else None
        if not session:
            return None
        try:
            session.record(lambda session: _describe(session, named))
            session.data("X", part="the first of several calls to partial_fit")
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise
        session.missing("the fitted model", "partial_fit may go on: what joblib.dump or pickle.dump writes is recorded")
        return cls(session, None, estimator, named.get("X"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error)

    @guest.harmless
    def _end(self, error: BaseException | None) -> None:
        seconds, session = time.perf_counter() - self._began, self._session
        if error is not None:
            if self._owner is not None:
                self._owner.goes_on = False  # a later call begins a new run
            session.end(error)
            return
        try:
            session.record(lambda session: session.metrics(partial_numbers(self._estimator, self._features, seconds)))
            session.record(lambda session: record_epochs(session, self._estimator, self._epochs))
            if self._owner is None:
                session.record(lambda session: owners().set(self._estimator, session, goes_on=True))
        finally:
            session.pause()
            owner = self._owner or owners().of(self._estimator)
            if owner is not None:
                owners().use(owner, under_way=False)


class LatePart:
    """A call of `partial_fit` on an estimator whose run was closed to make room for others."""

    def __init__(self, owner: Owner, estimator: Any, features: Any) -> None:
        self._owner = owner
        self._estimator = estimator
        self._features = features
        self._inside = guest.unrecorded()
        self._began = time.perf_counter()

    def __enter__(self) -> Self:
        self._inside.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.perf_counter() - self._began
        self._inside.__exit__(kind, error, trace)
        owners().end_left()
        if error is None:
            self._take(seconds)
        else:
            owners().discard(self._estimator)  # a later call begins a new run
            Additions(self._owner.session.run).missing("a call of partial_fit", f"{type(error).__name__}: {error}")

    @guest.harmless
    def _take(self, seconds: float) -> None:
        self._owner.take(partial_numbers(self._estimator, self._features, seconds))


def _describe(session: FitSession, named: Named) -> None:
    record_data(session, {"X": named.get("X"), "y": named.get("y")})
