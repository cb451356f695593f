"""The functions of scikit-learn that are wrapped: those that fit and score, its pools, and those that dump models."""

import functools
import pickle
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import joblib
from sklearn.base import BaseEstimator
from sklearn.utils import parallel

from runlore import guest
from runlore_sklearn import _checkpoints, _evaluation, _search
from runlore_sklearn._data import Args, Kwargs
from runlore_sklearn._framework import check_version, task_class
from runlore_sklearn._partial import call_partial_fit
from runlore_sklearn._training import Training, begin_validation

FITTING = ("fit", "fit_predict", "fit_transform")
_busy: ContextVar[bool] = ContextVar("runlore_sklearn_busy", default=False)  # in a score, or in a task of a pool


class Wrapped(guest.Part):
    """The attributes that are replaced while autolog is on.

    Owners are held weakly, and originals by their wrappers only, so that classes can be freed.
    """

    inherited = True

    def __init__(self) -> None:
        self.on = False
        self._attributes: list[tuple[weakref.ref[Any], str]] = []
        self._descriptors: list[weakref.ref[Any]] = []
        self._classes: weakref.WeakSet[Any] = weakref.WeakSet()

    def wrap_class(self, cls: type) -> None:
        """Wrap the methods that a class defines, and those that it has from mixins that are no estimators."""
        for owner in cls.__mro__:
            is_own = owner is cls or not issubclass(owner, BaseEstimator)
            if owner is not object and is_own and owner not in self._classes:
                self._classes.add(owner)
                self._wrap_methods(owner)

    def replace(self, owner: type | ModuleType, name: str, new: Any) -> None:
        """Put a wrapper in an attribute's place."""
        self._attributes.append((weakref.ref(owner), name))
        setattr(owner, name, new)

    def restore(self) -> None:
        """Put the originals back, except where somebody else has replaced our wrapper since."""
        for reference, name in reversed(self._attributes):
            owner = reference()
            current = None if owner is None else owner.__dict__.get(name)
            if not _is_ours(current):
                continue
            original: Any = getattr(getattr(current, "__func__", current), "__wrapped__", None)
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        for reference in self._descriptors:
            descriptor = reference()
            if descriptor is not None and _is_ours(descriptor.fn):
                descriptor.fn = descriptor.fn.__wrapped__
        self._attributes.clear()
        self._descriptors.clear()
        self._classes.clear()

    def _wrap_methods(self, owner: type) -> None:
        wrappers = dict.fromkeys(FITTING, _recorded_fit) | {"partial_fit": _recorded_partial, "score": _recorded_score}
        for name, wrap in wrappers.items():
            found = owner.__dict__.get(name)
            if isinstance(found, staticmethod | classmethod | type):
                continue
            if callable(found) and hasattr(found, "__name__") and hasattr(type(found), "__get__"):
                self.replace(owner, name, wrap(found))
            elif callable(getattr(found, "fn", None)) and not _is_ours(found.fn):  # type: ignore[union-attr]
                self._descriptors.append(weakref.ref(found))  # of available_if, which holds the method
                found.fn = wrap(found.fn)  # type: ignore[union-attr]


def wrapped() -> Wrapped:
    """Return what this process has replaced."""
    return guest.part(Wrapped)


def enable() -> None:
    """Record every outermost fit from now on; twice is once."""
    part = wrapped()
    if part.on:
        return
    part.on = True
    check_version()
    for cls in (BaseEstimator, *_subclasses(BaseEstimator)):
        part.wrap_class(cls)
    _wrap_parallel(part)
    dump = _recorded_dump(joblib.numpy_pickle.dump)
    for module in (joblib, joblib.numpy_pickle):
        part.replace(module, "dump", dump)
    part.replace(pickle, "dump", _recorded_dump(pickle.dump, "pickle"))

    def init_subclass(cls: Any, **kwargs: Any) -> None:
        super(BaseEstimator, cls).__init_subclass__(**kwargs)
        if wrapped().on:
            wrapped().wrap_class(cls)

    _ours(init_subclass).__wrapped__ = BaseEstimator.__dict__.get("__init_subclass__")
    part.replace(BaseEstimator, "__init_subclass__", classmethod(init_subclass))  # type: ignore[arg-type]


def disable() -> None:
    """Put every attribute back."""
    wrapped().on = False
    wrapped().restore()


def _subclasses(cls: type) -> Iterator[type]:
    subclass: type
    for subclass in type.__subclasses__(cls):
        yield subclass
        yield from _subclasses(subclass)


def _ours(function: Any) -> Any:
    """Mark a function as one that can be put back, and let warnings pass over its frame."""
    function.runlore_wrapper = True
    return guest.unseen(function)


def _is_ours(found: Any) -> bool:
    return bool(getattr(getattr(found, "__func__", found), "runlore_wrapper", False))


def _wrap_parallel(part: Wrapped) -> None:
    """Follow joblib's tasks: into the threads of a pool, which contexts don't reach, and as folds of a validation."""
    task_cls = task_class()
    if task_cls is None:
        guest.warn("scikit-learn has changed its pools: fits in their threads make runs of their own")
        return
    dispatch, call = parallel.Parallel.__call__, task_cls.__call__

    @_ours
    @functools.wraps(dispatch)
    def recorded_dispatch(self: Any, iterable: Any) -> Any:
        if not wrapped().on or guest.in_fit():
            return give_tokens(self, iterable)
        return _search.record_validation(give_tokens, self, iterable, begin_validation)

    def give_tokens(self: Any, iterable: Any) -> Any:
        token = guest.token()  # here, as the tasks may be taken from the iterable by a thread of the pool

        def tasks() -> Iterator[Any]:
            for task in iterable:
                if isinstance(task[0], task_cls):
                    task[0].runlore_token = token
                yield task

        return dispatch(self, iterable if token is None else tasks())

    @_ours
    @functools.wraps(call)
    def use_token(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = _busy.set(True)  # what a task scores is not what the user asked for
        try:
            with guest.within(getattr(self, "runlore_token", None)):
                return call(self, *args, **kwargs)
        finally:
            _busy.reset(before)

    part.replace(parallel.Parallel, "__call__", recorded_dispatch)
    part.replace(task_cls, "__call__", use_token)


# cloudpickle takes classes of __main__ to loky's workers by value, and our wrappers with them. So a wrapper closes over
# nothing but the original, finds us by an import, and goes without us where we are not installed.


def _recorded_fit(fit: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fit)
    def recorded_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._wrapping import call_fit
        except ImportError:
            return fit(self, *args, **kwargs)
        return call_fit(fit, self, args, kwargs)

    return _ours(recorded_fit)  # type: ignore[no-any-return]


def _recorded_partial(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def recorded_partial_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._wrapping import call_partial
        except ImportError:
            return method(self, *args, **kwargs)
        return call_partial(method, self, args, kwargs)

    return _ours(recorded_partial_fit)  # type: ignore[no-any-return]


def _recorded_score(score: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(score)
    def recorded_score(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._wrapping import call_score
        except ImportError:
            return score(self, *args, **kwargs)
        return call_score(score, self, args, kwargs)

    return _ours(recorded_score)  # type: ignore[no-any-return]


def _recorded_dump(dump: Callable[..., Any], module: str = "") -> Callable[..., Any]:
    @functools.wraps(dump)
    def recorded_dump(*args: Any, **kwargs: Any) -> Any:
        result = dump(*args, **kwargs)
        if wrapped().on:
            _record_dump(dict(zip(("value", "file"), args, strict=False)) | kwargs)
        return result

    recorded_dump.__module__ = module or dump.__module__  # pickled by this name, which leads to the original elsewhere
    return _ours(recorded_dump)  # type: ignore[no-any-return]


def _record_dump(named: dict[str, Any]) -> None:
    try:
        _checkpoints.record_dump(named.get("value", named.get("obj")), named.get("file", named.get("filename")))
    except Exception as error:  # the file is written, which is all that the caller may notice
        guest.warn(f"a file of a model is not recorded: {type(error).__name__}: {error}")


@_ours
def call_fit(fit: Callable[..., Any], estimator: Any, args: Args, kwargs: Kwargs) -> Any:
    """Fit, recorded if this is an outermost fit and autolog is on in this process."""
    if not wrapped().on or guest.in_fit():
        return fit(estimator, *args, **kwargs)
    training = Training.begin(estimator, args, kwargs)
    if training is None:
        with guest.unrecorded():  # what a transformer fits inside makes no runs either
            return fit(estimator, *args, **kwargs)
    try:
        result = fit(estimator, *args, **kwargs)
    except BaseException as error:
        training.end(error)
        raise
    training.end(None)
    return result


@_ours
def call_partial(method: Callable[..., Any], estimator: Any, args: Args, kwargs: Kwargs) -> Any:
    """Fit a part, recorded with the estimator's run if autolog is on in this process."""
    if not wrapped().on:
        return method(estimator, *args, **kwargs)
    return call_partial_fit(method, estimator, args, kwargs)


@_ours
def call_score(score: Callable[..., Any], estimator: Any, args: Args, kwargs: Kwargs) -> Any:
    """Score, recorded with the estimator's run if nobody but the user asked for it."""
    if not wrapped().on or _busy.get() or guest.in_fit():
        return score(estimator, *args, **kwargs)
    before = _busy.set(True)
    try:
        value = score(estimator, *args, **kwargs)
    finally:
        _busy.reset(before)
    _evaluation.record_score(estimator, args, kwargs, value)
    return value
