"""Wrapping `fit` and `score` of scikit-learn's estimators, the one place where attributes are replaced."""

import functools
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin, RegressorMixin
from sklearn.utils import parallel

from runlore import FitSession
from runlore_sklearn import _fit

_scoring: ContextVar[bool] = ContextVar("runlore_sklearn_scoring", default=False)


class _Patches:
    """What was replaced, so that it can be put back: by owner and name, the original and what stands there now."""

    def __init__(self) -> None:
        self.done: list[tuple[weakref.ref[type], str, Any, Any]] = []
        self.descriptors: list[tuple[Any, Any]] = []
        self.active = False

    def replace(self, owner: type, name: str, new: Any) -> None:
        self.done.append((weakref.ref(owner), name, owner.__dict__.get(name), new))
        setattr(owner, name, new)

    def restore(self) -> None:
        for reference, name, original, new in reversed(self.done):
            owner = reference()
            if owner is None or owner.__dict__.get(name) is not new:
                continue  # somebody else replaced it since: theirs to put back
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        for descriptor, original in self.descriptors:
            descriptor.fn = original
        self.done.clear()
        self.descriptors.clear()


_patches = _Patches()


def enable() -> None:
    """Record every outermost fit from now on. Twice is once."""
    if _patches.active:
        return
    _patches.active = True
    for cls in (BaseEstimator, *_subclasses(BaseEstimator)):
        _wrap_class(cls)
    for mixin in (ClassifierMixin, RegressorMixin, ClusterMixin):
        _wrap_class(mixin)

    _follow_threads()

    def init_subclass(cls: Any, **kwargs: Any) -> None:
        super(BaseEstimator, cls).__init_subclass__(**kwargs)
        if _patches.active:
            _wrap_class(cls)

    _patches.replace(BaseEstimator, "__init_subclass__", classmethod(init_subclass))  # type: ignore[arg-type]


def disable() -> None:
    """Put every attribute back."""
    _patches.active = False
    _patches.restore()


def _follow_threads() -> None:
    """Let fits in joblib's pool threads know the fit that they are part of: contexts don't reach them."""
    work = getattr(parallel, "_FuncWrapper", None)
    if work is None:
        return  # a private name: without it such fits make runs of their own
    dispatch, call = parallel.Parallel.__call__, work.__call__

    @functools.wraps(dispatch)
    def give_tickets(self: Any, iterable: Any) -> Any:
        ticket = FitSession.ticket()  # here, as the tasks may be taken from the iterable by a thread of the pool

        def tasks() -> Iterator[Any]:
            for task in iterable:
                if isinstance(task[0], work):
                    task[0].runlore_ticket = ticket
                yield task

        return dispatch(self, iterable if ticket is None else tasks())

    @functools.wraps(call)
    def use_ticket(self: Any, *args: Any, **kwargs: Any) -> Any:
        with FitSession.within(getattr(self, "runlore_ticket", None)):
            return call(self, *args, **kwargs)

    _patches.replace(parallel.Parallel, "__call__", give_tickets)
    _patches.replace(work, "__call__", use_ticket)


def _wrap_class(cls: type) -> None:
    fit = cls.__dict__.get("fit")
    if callable(fit) and hasattr(fit, "__name__"):
        _patches.replace(cls, "fit", _recorded_fit(fit))
    score = cls.__dict__.get("score")
    if callable(score) and hasattr(score, "__name__"):
        _patches.replace(cls, "score", _recorded_score(score))
    elif score is not None and hasattr(score, "fn"):  # available_if: the function stands inside its descriptor
        _patches.descriptors.append((score, score.fn))
        score.fn = _recorded_score(score.fn)


# cloudpickle takes classes of __main__ to loky's workers by value, and our wrappers with them. So a wrapper closes over
# nothing but the original, finds us by an import, and goes without us where we are not installed.


def _recorded_fit(fit: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fit)
    def recorded_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._autolog import call_fit
        except ImportError:
            return fit(self, *args, **kwargs)
        return call_fit(fit, self, args, kwargs)

    return recorded_fit


def _recorded_score(score: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(score)
    def recorded_score(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._autolog import call_score
        except ImportError:
            return score(self, *args, **kwargs)
        return call_score(score, self, args, kwargs)

    return recorded_score


def call_fit(fit: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Fit, recorded if this is an outermost fit and autolog is on in this process."""
    recording = _fit.begin(estimator, args, kwargs) if _patches.active else None
    if recording is None:
        return fit(estimator, *args, **kwargs)
    try:
        result = fit(estimator, *args, **kwargs)
    except BaseException as error:
        recording.end(error)
        raise
    recording.end(None)
    return result


def call_score(score: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Score, recorded with the estimator's run if nobody but the user asked for it."""
    if not _patches.active or _scoring.get() or FitSession.in_fit():
        return score(estimator, *args, **kwargs)
    token = _scoring.set(True)
    try:
        value = score(estimator, *args, **kwargs)
    finally:
        _scoring.reset(token)
    _fit.record_score(estimator, args, kwargs, value)
    return value


def _subclasses(cls: type) -> Iterator[type]:
    subclass: type
    for subclass in type.__subclasses__(cls):
        yield subclass
        yield from _subclasses(subclass)
