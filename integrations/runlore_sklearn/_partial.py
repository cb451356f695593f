"""Record `partial_fit`: many calls, one run, a point per call."""

import time
from collections.abc import Callable
from typing import Any

from runlore import FitSession, guest
from runlore_sklearn._data import Args, Kwargs, data_of, record_data
from runlore_sklearn._metrics import record_partial
from runlore_sklearn._owners import owners
from runlore_sklearn._training import begin_session, makes_a_run


@guest.unseen
def call_partial_fit(method: Callable[..., Any], estimator: Any, args: Args, kwargs: Kwargs) -> Any:
    """Call it, recorded if it is no part of another fit; the run stays open until the estimator is gone or refitted."""
    if guest.in_fit():
        return method(estimator, *args, **kwargs)
    session = _session_of(estimator, args, kwargs)
    if not session:
        with guest.unrecorded():
            return method(estimator, *args, **kwargs)
    began = time.perf_counter()
    try:
        result = method(estimator, *args, **kwargs)
    except BaseException as error:
        owner = owners().of(estimator)
        if owner is not None:
            owner.goes_on = False  # a later call begins a new run
        session.end(error)
        raise
    seconds = time.perf_counter() - began
    try:
        session.record(lambda session: record_partial(session, estimator, data_of(args, kwargs)[0], seconds))
        session.record(lambda session: _remember(session, estimator))
    finally:
        session.pause()
    return result


def _session_of(estimator: Any, args: Args, kwargs: Kwargs) -> FitSession | None:
    """Return the session of the calls before, or begin one with this call's data; None where nothing is recorded."""
    owner = owners().of(estimator)
    if owner is not None and owner.goes_on and not owner.session.run.ended:
        owner.session.resume()
        return owner.session
    session = begin_session(estimator) if makes_a_run(estimator) else None
    if session:
        try:
            session.record(lambda session: _describe(session, args, kwargs))
            session.data("X", part="the first of several calls to partial_fit")
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise
        session.missing("the fitted model", "partial_fit may go on: what joblib.dump or pickle.dump writes is recorded")
    return session


def _describe(session: FitSession, args: Args, kwargs: Kwargs) -> None:
    record_data(session, data_of(args, kwargs), {})


def _remember(session: FitSession, estimator: Any) -> None:
    if owners().of(estimator) is None:
        owners().set(estimator, session, goes_on=True)
