"""partial_fit: many calls, one run, a point per call."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from runlore import FitSession, guest
from runlore_sklearn import _tracking
from runlore_sklearn._fit import begin_session, describe_data, is_recorded

Args = tuple[Any, ...]


def call_partial_fit(method: Callable[..., Any], estimator: Any, args: Args, kwargs: dict[str, Any]) -> Any:
    """Call it, recorded if it is no part of another fit; the run stays open until the estimator is gone or fitted."""
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
        _tracking.forget_session(estimator)
        session.end(error)
        raise
    seconds = time.perf_counter() - began
    try:
        session.record(lambda session: _record_call(session, estimator, args, kwargs, seconds))
        session.record(lambda session: _remember(session, estimator))
    finally:
        session.pause()
    return result


def _session_of(estimator: Any, args: Args, kwargs: dict[str, Any]) -> FitSession | None:
    tracked = _tracking.find(estimator)
    if tracked is not None and tracked.session is not None and not tracked.run.ended:
        tracked.session.resume()
        return tracked.session
    try:
        session = begin_session(estimator) if is_recorded(estimator) else None
    except Exception:  # a class that raises when it is asked for its methods: it is fitted as without us
        return None
    if session:
        data = args[0] if args else kwargs.get("X"), args[1] if len(args) > 1 else kwargs.get("y")
        try:
            session.record(lambda session: _describe(session, data))
            session.data("X", part="the first of several calls to partial_fit")
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise
        session.missing("the fitted model", "partial_fit may go on: what joblib.dump or pickle.dump writes is recorded")
    return session


def _describe(session: FitSession, data: tuple[Any, Any]) -> None:
    describe_data(session, data)


def _remember(session: FitSession, estimator: Any) -> None:
    if _tracking.find(estimator) is None:
        _tracking.track(estimator, session.run, None, session)


def _record_call(session: FitSession, estimator: Any, args: Args, kwargs: dict[str, Any], seconds: float) -> None:
    data = args[0] if args else kwargs.get("X")
    numbers = {"partial_fit_seconds": seconds}
    rows = getattr(data, "shape", None) or (len(data) if data is not None else 0,)
    numbers["rows"] = float(rows[0])
    with guest.without_trace():
        loss = getattr(estimator, "loss_", None)
    if np.isscalar(loss) and not isinstance(loss, str):
        numbers["loss"] = float(loss)  # type: ignore[arg-type]
    session.metrics(numbers)
