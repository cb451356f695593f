"""Which run a fitted estimator belongs to, without holding on to the estimator."""

import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from runlore import FitSession

PARTS = 100  # of a fitted estimator that lead to its run, too
DEPTH = 4


class Tracked:
    """An estimator's run. `session` is there while `partial_fit` may go on; `trained_on` is a fingerprint."""

    __slots__ = ("estimator", "run", "session", "tested_on", "trained_on")

    def __init__(self, estimator: Any, run: Any, trained_on: str | None, session: FitSession | None) -> None:
        key = id(estimator)
        self.estimator = weakref.ref(estimator, lambda _: _let_go(_tracked.pop(key, None)))
        self.run = run
        self.session = session
        self.trained_on = trained_on
        self.tested_on: list[str | None] = []  # fingerprints of data that it was scored on


_tracked: dict[int, Tracked] = {}  # by id, as estimators need not be hashable


def track(estimator: Any, run: Any, trained_on: str | None, session: FitSession | None = None) -> None:
    """Let scores, dumps and further fits that come later find the run, also by the fitted parts of the estimator."""
    for part in [estimator, *_parts(estimator, DEPTH)][:PARTS]:
        with suppress(TypeError):  # a class without weak references: what comes later stays unrecorded
            _tracked[id(part)] = Tracked(part, run, trained_on, session if part is estimator else None)


def find(estimator: Any) -> Tracked | None:
    """What is known of an estimator."""
    tracked = _tracked.get(id(estimator))
    return tracked if tracked is not None and tracked.estimator() is estimator else None


def nothing() -> bool:
    """Whether no estimator is known at all."""
    return not _tracked


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


def _parts(estimator: Any, depth: int) -> Iterator[Any]:
    """The fitted estimators inside: the best of a search, the steps of a pipeline, the members of an ensemble."""
    if depth == 0:
        return
    found = [vars(estimator).get("best_estimator_"), vars(estimator).get("estimator_")]
    found += [step[1] for step in vars(estimator).get("steps") or () if isinstance(step, tuple) and len(step) == 2]
    members = vars(estimator).get("estimators_")
    found += list(members)[:PARTS] if isinstance(members, list) else []
    for part in found:
        if part is not None and hasattr(type(part), "get_params") and hasattr(part, "__dict__"):
            yield part
            yield from _parts(part, depth - 1)


def _let_go(tracked: Tracked | None) -> None:
    """The estimator is gone. Its run ends on a thread of its own, as garbage is collected in the midst of anything."""
    if tracked is None or tracked.session is None or tracked.run.ended or sys.is_finalizing():
        return  # at exit all runs are ended already
    with suppress(RuntimeError):  # no thread can be started: the run ends at exit
        threading.Thread(target=tracked.session.end, name="runlore-sklearn").start()
