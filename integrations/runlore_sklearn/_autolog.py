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
from sklearn.base import BaseEstimator
from sklearn.utils import parallel

from runlore import FitSession, guest
from runlore_sklearn import _dumps, _fit, _search
from runlore_sklearn._partial import call_partial_fit

TESTED = ("1.8", "1.9")
FITTING = ("fit", "fit_predict", "fit_transform")
_busy: ContextVar[bool] = ContextVar("runlore_sklearn_busy", default=False)  # in a score, or a task of a pool


class _Patches:
    """What was replaced, so that it can be put back. Owners are held weakly, and originals only by their wrappers."""

    def __init__(self) -> None:
        self.done: list[tuple[weakref.ref[Any], str]] = []
        self.descriptors: list[weakref.ref[Any]] = []
        self.seen: weakref.WeakSet[Any] = weakref.WeakSet()
        self.active = False

    def replace(self, owner: type | ModuleType, name: str, new: Any) -> None:
        self.done.append((weakref.ref(owner), name))
        setattr(owner, name, new)

    def replace_inside(self, descriptor: Any, new: Any) -> None:
        if not _is_ours(descriptor.fn):
            self.descriptors.append(weakref.ref(descriptor))
            descriptor.fn = new

    def restore(self) -> None:
        for reference, name in reversed(self.done):
            owner = reference()
            current = None if owner is None else owner.__dict__.get(name)
            if not _is_ours(current):
                continue  # somebody else replaced it since: theirs to put back
            original: Any = getattr(getattr(current, "__func__", current), "__wrapped__", None)
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        for reference in self.descriptors:
            descriptor = reference()
            if descriptor is not None and _is_ours(descriptor.fn):
                descriptor.fn = descriptor.fn.__wrapped__
        self.done.clear()
        self.descriptors.clear()
        self.seen.clear()


_patches = _Patches()


def enable() -> None:
    """Record every outermost fit from now on. Twice is once."""
    if _patches.active:
        return
    _patches.active = True
    _check_version()
    for cls in (BaseEstimator, *_subclasses(BaseEstimator)):
        _wrap_class(cls)
    _wrap_parallel()
    dump = _recorded_dump(joblib.numpy_pickle.dump)
    for module in (joblib, joblib.numpy_pickle):
        _patches.replace(module, "dump", dump)
    _patches.replace(pickle, "dump", _recorded_dump(pickle.dump, "pickle"))

    def init_subclass(cls: Any, **kwargs: Any) -> None:
        super(BaseEstimator, cls).__init_subclass__(**kwargs)
        if _patches.active:
            _wrap_class(cls)

    _ours(init_subclass).__wrapped__ = BaseEstimator.__dict__.get("__init_subclass__")
    _patches.replace(BaseEstimator, "__init_subclass__", classmethod(init_subclass))  # type: ignore[arg-type]


def disable() -> None:
    """Put every attribute back."""
    _patches.active = False
    _patches.restore()


def _check_version() -> None:
    number = ".".join(sklearn.__version__.split(".")[:2])
    if number not in TESTED:
        guest.warn(f"scikit-learn {sklearn.__version__} is not tested with runlore: it may record less than usual")


def _wrap_parallel() -> None:
    """Follow joblib's tasks: into the threads of a pool, which contexts don't reach, and as folds of a validation."""
    work = getattr(parallel, "_FuncWrapper", None)
    if work is None:  # a private name
        guest.warn("scikit-learn has changed its pools: fits in their threads make runs of their own")
        return
    dispatch, call = parallel.Parallel.__call__, work.__call__

    @_ours
    @functools.wraps(dispatch)
    def recorded_dispatch(self: Any, iterable: Any) -> Any:
        if guest.in_fit():
            return give_tickets(self, iterable)
        return _search.record_validation(give_tickets, self, iterable, _begin_validation)

    def give_tickets(self: Any, iterable: Any) -> Any:
        ticket = guest.token()  # here, as the tasks may be taken from the iterable by a thread of the pool

        def tasks() -> Iterator[Any]:
            for task in iterable:
                if isinstance(task[0], work):
                    task[0].runlore_ticket = ticket
                yield task

        return dispatch(self, iterable if ticket is None else tasks())

    @_ours
    @functools.wraps(call)
    def use_ticket(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = _busy.set(True)  # what a task scores is not what the user asked for
        try:
            with guest.within(getattr(self, "runlore_ticket", None)):
                return call(self, *args, **kwargs)
        finally:
            _busy.reset(token)

    _patches.replace(parallel.Parallel, "__call__", recorded_dispatch)
    _patches.replace(work, "__call__", use_ticket)


def _begin_validation(args: tuple[Any, ...], method: str) -> FitSession | None:
    """The run of a cross-validation, from the arguments of its first task: estimator, X and y."""
    if not _patches.active or len(args) < 3:
        return None
    session = _fit.begin_session(args[0], method=method)
    if session:
        try:
            session.record(lambda session: _describe(session, args))
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise
    return session


def _describe(session: FitSession, args: tuple[Any, ...]) -> None:
    _fit.describe_data(session, (args[1], args[2]))


def _wrap_class(cls: type) -> None:
    """Wrap what a class defines itself, and what it has from mixins that are no estimators."""
    for owner in cls.__mro__:
        if (
            owner is not object
            and owner not in _patches.seen
            and (owner is cls or not issubclass(owner, BaseEstimator))
        ):
            _patches.seen.add(owner)
            _wrap_methods(owner)


def _wrap_methods(owner: type) -> None:
    wrappers = dict.fromkeys(FITTING, _recorded_fit) | {"partial_fit": _recorded_partial, "score": _recorded_score}
    for name, wrap in wrappers.items():
        found = owner.__dict__.get(name)
        if isinstance(found, staticmethod | classmethod | type):
            continue
        if callable(found) and hasattr(found, "__name__") and hasattr(type(found), "__get__"):
            _patches.replace(owner, name, wrap(found))
        elif found is not None and callable(getattr(found, "fn", None)):  # available_if: it stands in a descriptor
            _patches.replace_inside(found, wrap(found.fn))


def _ours(function: Any) -> Any:
    """Mark a function as one that can be put back, and let warnings pass over its frame."""
    function.runlore_wrapper = True
    return guest.unseen(function)


def _is_ours(found: Any) -> bool:
    return bool(getattr(getattr(found, "__func__", found), "runlore_wrapper", False))


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

    return _ours(recorded_fit)  # type: ignore[no-any-return]


def _recorded_partial(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def recorded_partial_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._autolog import call_partial
        except ImportError:
            return method(self, *args, **kwargs)
        return call_partial(method, self, args, kwargs)

    return _ours(recorded_partial_fit)  # type: ignore[no-any-return]


def _recorded_score(score: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(score)
    def recorded_score(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._autolog import call_score
        except ImportError:
            return score(self, *args, **kwargs)
        return call_score(score, self, args, kwargs)

    return _ours(recorded_score)  # type: ignore[no-any-return]


def _recorded_dump(dump: Callable[..., Any], module: str = "") -> Callable[..., Any]:
    @functools.wraps(dump)
    def recorded_dump(*args: Any, **kwargs: Any) -> Any:
        result = dump(*args, **kwargs)
        if _patches.active:
            _record_dump(dict(zip(("value", "file"), args, strict=False)) | kwargs)
        return result

    recorded_dump.__module__ = module or dump.__module__  # pickled by this name, which leads to the original elsewhere
    return _ours(recorded_dump)  # type: ignore[no-any-return]


def _record_dump(named: dict[str, Any]) -> None:
    try:
        _dumps.record_dump(named.get("value", named.get("obj")), named.get("file", named.get("filename")))
    except Exception as error:  # the file is written, which is all that the caller may notice
        guest.warn(f"a file of a model is not recorded: {type(error).__name__}: {error}")


@_ours
def call_fit(fit: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Fit, recorded if this is an outermost fit and autolog is on in this process."""
    if not _patches.active or guest.in_fit():
        return fit(estimator, *args, **kwargs)
    recording = _fit.begin(estimator, args, kwargs)
    if recording is None:
        with guest.unrecorded():  # what a transformer fits inside makes no runs either
            return fit(estimator, *args, **kwargs)
    try:
        result = fit(estimator, *args, **kwargs)
    except BaseException as error:
        recording.end(error)
        raise
    recording.end(None)
    return result


@_ours
def call_partial(method: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Fit a part, recorded with the estimator's run if autolog is on in this process."""
    if not _patches.active:
        return method(estimator, *args, **kwargs)
    return call_partial_fit(method, estimator, args, kwargs)


@_ours
def call_score(score: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Score, recorded with the estimator's run if nobody but the user asked for it."""
    if not _patches.active or _busy.get() or guest.in_fit():
        return score(estimator, *args, **kwargs)
    token = _busy.set(True)
    try:
        value = score(estimator, *args, **kwargs)
    finally:
        _busy.reset(token)
    _fit.record_score(estimator, args, kwargs, value)
    return value


def _subclasses(cls: type) -> Iterator[type]:
    subclass: type
    for subclass in type.__subclasses__(cls):
        yield subclass
        yield from _subclasses(subclass)
