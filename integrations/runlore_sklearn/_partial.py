"""partial_fit: many calls, one run, a point per call."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from runlore import FitSession
from runlore_sklearn import _tracking
from runlore_sklearn._fit import begin_session, describe_data, is_recorded


def call_partial_fit(method: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call it, recorded if it is no part of another fit; the run stays open until the estimator is gone or fitted."""
    session = None if FitSession.in_fit() or not is_recorded(estimator) else _session_of(estimator, args, kwargs)
    if session is None:
        return method(estimator, *args, **kwargs)
    began = time.perf_counter()
    try:
        result = method(estimator, *args, **kwargs)
    except BaseException as error:
        _tracking.forget_session(estimator)
        session.end(error)
        raise
    seconds = time.perf_counter() - began
    session.record(lambda session: _record_call(session, estimator, args, kwargs, seconds))
    session.pause()
    if session.owned:
        _tracking.track(estimator, session.run, args[0] if args else kwargs.get("X"), session)
    return result


def _session_of(estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> FitSession | None:
    tracked = _tracking.find(estimator)
    if tracked is not None and tracked.session is not None and not tracked.run.ended:
        tracked.session.resume()
        return tracked.session
    session = begin_session(estimator)
    if session is not None:
        data = args[0] if args else kwargs.get("X"), args[1] if len(args) > 1 else kwargs.get("y")
        describe_data(session, data)
        session.missing("the fitted model", "partial_fit may go on: what joblib.dump or pickle.dump writes is recorded")
    return session


def _record_call(
    session: FitSession, estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], seconds: float
) -> None:
    data = args[0] if args else kwargs.get("X")
    numbers = {"partial_fit_seconds": seconds}
    rows = getattr(data, "shape", None) or (len(data) if data is not None else 0,)
    numbers["rows"] = float(rows[0])
    loss = getattr(estimator, "loss_", None)
    if np.isscalar(loss) and not isinstance(loss, str):
        numbers["loss"] = float(loss)  # type: ignore[arg-type]
    session.metrics(numbers)
