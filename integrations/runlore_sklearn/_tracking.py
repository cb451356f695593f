"""Which run a fitted estimator belongs to, without holding on to the estimator."""

import threading
import weakref
from collections.abc import Callable
from typing import Any

from runlore import FitSession


class Tracked:
    """An estimator's run. `session` is there while `partial_fit` may go on."""

    __slots__ = ("data", "estimator", "run", "session")

    def __init__(self, estimator: Any, run: Any, data: Any, session: FitSession | None) -> None:
        key = id(estimator)
        self.estimator = weakref.ref(estimator, lambda _: _let_go(_tracked.pop(key, None)))
        self.run = run
        self.session = session
        self.data: Callable[[], Any]
        try:
            self.data = weakref.ref(data)
        except TypeError:  # a list, say
            self.data = lambda: None


_tracked: dict[int, Tracked] = {}  # by id, as estimators need not be hashable


def track(estimator: Any, run: Any, data: Any, session: FitSession | None = None) -> None:
    """Let scores, dumps and further fits that come later find the run."""
    try:
        _tracked[id(estimator)] = Tracked(estimator, run, data, session)
    except TypeError:
        return  # a class without weak references: what comes later stays unrecorded


def find(estimator: Any) -> Tracked | None:
    """What is known of an estimator."""
    tracked = _tracked.get(id(estimator))
    return tracked if tracked is not None and tracked.estimator() is estimator else None


def forget(estimator: Any) -> Tracked | None:
    """The estimator is fitted anew: what went on until now ends. What was known of it."""
    tracked = find(estimator)
    if tracked is not None:
        del _tracked[id(estimator)]
        if tracked.session is not None:
            tracked.session.end()
    return tracked


def forget_session(estimator: Any) -> None:
    """The estimator's `partial_fit` failed, which ends the run; a later call begins a new one."""
    tracked = find(estimator)
    if tracked is not None:
        tracked.session = None


def _let_go(tracked: Tracked | None) -> None:
    """The estimator is gone. Its run ends on a thread of its own, as garbage is collected in the midst of anything."""
    if tracked is None or tracked.session is None:
        return
    try:
        threading.Thread(target=tracked.session.end, name="runlore-sklearn").start()
    except RuntimeError:  # Python is shutting down, which ends all runs
        return
