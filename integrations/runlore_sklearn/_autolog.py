"""Wrapping what fits, scores and dumps estimators: the one place where attributes are replaced."""

import functools
import pickle
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import joblib
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin, RegressorMixin
from sklearn.utils import parallel

from runlore import FitSession
from runlore_sklearn import _dumps, _fit, _search
from runlore_sklearn._partial import call_partial_fit

TESTED = ("1.8", "1.9")
FITTING = ("fit", "fit_predict", "fit_transform")
_scoring: ContextVar[bool] = ContextVar("runlore_sklearn_scoring", default=False)


class _Patches:
    """What was replaced, so that it can be put back: by owner and name, the original and what stands there now."""

    def __init__(self) -> None:
        self.done: list[tuple[weakref.ref[Any], str, Any, Any]] = []
        self.descriptors: list[tuple[Any, Any, Any]] = []
        self.active = False

    def replace(self, owner: type | ModuleType, name: str, new: Any) -> None:
        self.done.append((weakref.ref(owner), name, owner.__dict__.get(name), new))
        setattr(owner, name, new)

    def replace_inside(self, descriptor: Any, new: Any) -> None:
        self.descriptors.append((descriptor, descriptor.fn, new))
        descriptor.fn = new

    def restore(self) -> None:
        for reference, name, original, new in reversed(self.done):
            owner = reference()
            if owner is None or owner.__dict__.get(name) is not new:
                continue  # somebody else replaced it since: theirs to put back
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        for descriptor, original, new in self.descriptors:
            if descriptor.fn is new:
                descriptor.fn = original
        self.done.clear()
        self.descriptors.clear()


_patches = _Patches()


def enable() -> None:
    """Record every outermost fit from now on. Twice is once."""
    if _patches.active:
        return
    _patches.active = True
    _check_version()
    for cls in (BaseEstimator, *_subclasses(BaseEstimator)):
        _wrap_class(cls)
    for mixin in (ClassifierMixin, RegressorMixin, ClusterMixin):
        _wrap_class(mixin)
    _wrap_parallel()
    for module in (joblib, joblib.numpy_pickle, pickle):
        _patches.replace(module, "dump", _recorded_dump(module.dump))

    def init_subclass(cls: Any, **kwargs: Any) -> None:
        super(BaseEstimator, cls).__init_subclass__(**kwargs)
        if _patches.active:
            _wrap_class(cls)

    _patches.replace(BaseEstimator, "__init_subclass__", classmethod(init_subclass))  # type: ignore[arg-type]


def _check_version() -> None:
    number = ".".join(sklearn.__version__.split(".")[:2])
    if number not in TESTED:
        FitSession.warn(f"scikit-learn {sklearn.__version__} is not tested with runlore: it may record less than usual")


def disable() -> None:
    """Put every attribute back."""
    _patches.active = False
    _patches.restore()


def _wrap_parallel() -> None:
    """Follow joblib's tasks: into the threads of a pool, which contexts don't reach, and as folds of a validation."""
    work = getattr(parallel, "_FuncWrapper", None)
    if work is None:  # a private name
        FitSession.warn("scikit-learn has changed its pools: fits in their threads make runs of their own")
        return
    dispatch, call = parallel.Parallel.__call__, work.__call__

    @functools.wraps(dispatch)
    def recorded_dispatch(self: Any, iterable: Any) -> Any:
        if FitSession.in_fit():
            return give_tickets(self, iterable)
        return _search.record_validation(give_tickets, self, iterable, _begin_validation)

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

    _patches.replace(parallel.Parallel, "__call__", recorded_dispatch)
    _patches.replace(work, "__call__", use_ticket)


def _begin_validation(args: tuple[Any, ...]) -> FitSession | None:
    """The run of a cross-validation, from the arguments of its first task: estimator, X and y."""
    if not _patches.active or len(args) < 3:
        return None
    session = _fit.begin_session(args[0], method="cross-validation")
    if session is not None:
        _fit.describe_data(session, (args[1], args[2]))
    return session


def _wrap_class(cls: type) -> None:
    wrappers = dict.fromkeys(FITTING, _recorded_fit) | {"partial_fit": _recorded_partial, "score": _recorded_score}
    for name, wrap in wrappers.items():
        found = cls.__dict__.get(name)
        if callable(found) and hasattr(found, "__name__"):
            _patches.replace(cls, name, wrap(found))
        elif found is not None and callable(getattr(found, "fn", None)):  # available_if: it stands in a descriptor
            _patches.replace_inside(found, wrap(found.fn))


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


def _recorded_partial(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def recorded_partial_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._autolog import call_partial
        except ImportError:
            return method(self, *args, **kwargs)
        return call_partial(method, self, args, kwargs)

    return recorded_partial_fit


def _recorded_score(score: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(score)
    def recorded_score(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._autolog import call_score
        except ImportError:
            return score(self, *args, **kwargs)
        return call_score(score, self, args, kwargs)

    return recorded_score


def _recorded_dump(dump: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(dump)
    def recorded_dump(*args: Any, **kwargs: Any) -> Any:
        result = dump(*args, **kwargs)
        if _patches.active:
            named = dict(zip(("value", "file"), args, strict=False)) | kwargs
            target = named.get("file", named.get("filename"))
            _dumps.record_dump(named.get("value", named.get("obj")), target)
        return result

    return recorded_dump


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


def call_partial(method: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Fit a part, recorded with the estimator's run if autolog is on in this process."""
    if not _patches.active:
        return method(estimator, *args, **kwargs)
    return call_partial_fit(method, estimator, args, kwargs)


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
