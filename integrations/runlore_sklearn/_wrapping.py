"""The functions of scikit-learn that are wrapped: those that fit and score, its pools, and those that dump models."""

import functools
import pickle
import weakref
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import joblib
from sklearn.base import BaseEstimator
from sklearn.utils import parallel

from runlore import guest
from runlore_sklearn import _search
from runlore_sklearn._framework import check_version, task_class
from runlore_sklearn._methods import (
    Recorded,
    Watch,
    busy,
    is_inner_fit,
    is_inner_score,
    is_ours,
    ours,
    recorded_dump,
    recorded_fit,
    recorded_load,
    recorded_partial,
    recorded_score,
    switch,
)
from runlore_sklearn._training import begin_validation

FITTING = ("fit", "fit_predict", "fit_transform")


class Wrapped(guest.Part):
    """The attributes that are replaced while autolog is on.

    Owners are held weakly, and originals by their wrappers only, so that classes can be freed.
    """

    inherited = True

    def __init__(self) -> None:
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
            if not is_ours(current):
                continue
            original: Any = getattr(getattr(current, "__func__", current), "__wrapped__", None)
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        for reference in self._descriptors:
            descriptor = reference()
            if descriptor is not None and is_ours(descriptor.fn):
                descriptor.fn = descriptor.fn.__wrapped__
        self._attributes.clear()
        self._descriptors.clear()
        self._classes.clear()

    def _wrap_methods(self, owner: type) -> None:
        wrappers: dict[str, tuple[Callable[..., Any], Callable[[], bool]]] = dict.fromkeys(
            FITTING, (recorded_fit, is_inner_fit)
        )
        wrappers |= {"partial_fit": (recorded_partial, is_inner_fit), "score": (recorded_score, is_inner_score)}
        for name, (wrap, is_inner) in wrappers.items():
            found = owner.__dict__.get(name)
            if isinstance(found, staticmethod | classmethod | type):
                continue
            if callable(found) and hasattr(found, "__name__") and hasattr(type(found), "__get__"):
                self.replace(owner, name, Recorded(found, wrap(found), is_inner))
            elif callable(getattr(found, "fn", None)) and not is_ours(found.fn):  # type: ignore[union-attr]
                self._descriptors.append(weakref.ref(found))  # of available_if, which holds the method
                found.fn = wrap(found.fn)  # type: ignore[union-attr]


class Watched(Wrapped):
    """The attributes that are replaced for estimators with our callback, whether autolog is on or not."""


def wrapped() -> Wrapped:
    """Return what this process has replaced for autolog."""
    return guest.part(Wrapped)


def enable() -> None:
    """Record every outermost fit from now on; twice is once."""
    part = wrapped()
    if switch().on:
        return
    switch().on = True
    check_version()
    for cls in (BaseEstimator, *_subclasses(BaseEstimator)):
        part.wrap_class(cls)
    _wrap_parallel(part)
    dump = recorded_dump(joblib.numpy_pickle.dump)
    load = recorded_load(joblib.numpy_pickle.load)
    for module in (joblib, joblib.numpy_pickle):
        part.replace(module, "dump", dump)
        part.replace(module, "load", load)
    part.replace(pickle, "dump", recorded_dump(pickle.dump, "pickle"))
    part.replace(pickle, "load", recorded_load(pickle.load, "pickle"))

    def init_subclass(cls: Any, **kwargs: Any) -> None:
        super(BaseEstimator, cls).__init_subclass__(**kwargs)
        if switch().on:
            wrapped().wrap_class(cls)

    ours(init_subclass).__wrapped__ = BaseEstimator.__dict__.get("__init_subclass__")
    part.replace(BaseEstimator, "__init_subclass__", classmethod(init_subclass))  # type: ignore[arg-type]


def disable() -> None:
    """Put every attribute back."""
    switch().on = False
    wrapped().restore()


def watch_callbacks(watch: Watch) -> None:
    """Call `watch` with an estimator that has callbacks, for a block around its fit; None where there is nothing to do.

    Callbacks learn of a fit only when it has accepted parameters and data.

    Raises:
        ImportError: scikit-learn has no callbacks.
    """
    import sklearn.callback

    part, mixin = guest.part(Watched), sklearn.callback.CallbackSupportMixin
    set_callbacks = mixin.set_callbacks
    if switch().watch is not None:
        return
    switch().watch = watch

    @ours
    @functools.wraps(set_callbacks)
    def watched_set_callbacks(self: Any, *callbacks: Any) -> Any:
        result = set_callbacks(self, *callbacks)
        if watch(self) is not None:
            guest.part(Watched).wrap_class(type(self))
        return result

    part.replace(mixin, "set_callbacks", watched_set_callbacks)


def _subclasses(cls: type) -> Iterator[type]:
    subclass: type
    for subclass in type.__subclasses__(cls):
        yield subclass
        yield from _subclasses(subclass)


def _wrap_parallel(part: Wrapped) -> None:
    """Follow joblib's tasks: into the threads of a pool, which contexts don't reach, and as folds of a validation."""
    task_cls = task_class()
    if task_cls is None:
        guest.warn("scikit-learn has changed its pools: fits in their threads make runs of their own")
        return
    dispatch, call = parallel.Parallel.__call__, task_cls.__call__

    @ours
    @functools.wraps(dispatch)
    def recorded_dispatch(self: Any, iterable: Any) -> Any:
        if not switch().on or guest.in_fit():
            with guest.frameless():
                return dispatch(self, with_token(iterable))
        with guest.frameless(), _search.validation(iterable, begin_validation) as (tasks, told):
            results = dispatch(self, with_token(tasks))
            told.append(results)
            return results

    def with_token(tasks: Any) -> Any:
        token = guest.token()  # here, as the tasks may be taken from the iterable by a thread of the pool
        return tasks if token is None else marked(tasks, token)

    def marked(tasks: Any, token: Any) -> Iterator[Any]:
        for task in tasks:
            if isinstance(task[0], task_cls):
                task[0].runlore_token = token
            yield task

    @ours
    @functools.wraps(call)
    def use_token(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = getattr(self, "runlore_token", None)
        with guest.frameless(), busy(), guest.within(token):  # what a task scores is no matter of the user's
            return call(self, *args, **kwargs)

    part.replace(parallel.Parallel, "__call__", recorded_dispatch)
    part.replace(task_cls, "__call__", use_token)
