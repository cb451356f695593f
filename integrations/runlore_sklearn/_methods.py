"""The methods that stand in the place of an estimator's own while autolog is on."""

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from runlore import guest
from runlore.guest.wrapping import as_written, guarded_block
from runlore_sklearn import _checkpoints, _evaluation
from runlore_sklearn._data import Args, Kwargs, named_arguments
from runlore_sklearn._evaluation import is_within_another
from runlore_sklearn._partial import PartialFit
from runlore_sklearn._training import Training

Method = Callable[..., Any]
Watch = Callable[[Any], "AbstractContextManager[Any] | None"]
_busy: ContextVar[bool] = ContextVar("runlore_sklearn_busy", default=False)  # in a score, or in a task of a pool


class Switch(guest.Part):
    """Tells whether autolog records fits in this process, or a callback those of its estimators."""

    inherited = True

    def __init__(self) -> None:
        self.on = False  # autolog
        self.watch: Watch | None = None  # returns the block for a fit of an estimator with our callback


def switch() -> Switch:
    """Return the switch of this process."""
    return guest.part(Switch)


class Recorded:
    """A method in the dict of its class: recorded if it is looked up outside of any fit, the original itself inside.

    So what a search, an ensemble or a pipeline fits and scores inside runs as without us, and the tracebacks that
    scikit-learn shows as text hold no frame of ours. Pickled by value, with a class of the user's own that goes to a
    worker, it is the original.
    """

    runlore_wrapper = True

    def __init__(self, original: Any, recorded: Method, is_inner: Callable[[], bool]) -> None:
        functools.update_wrapper(self, original)  # type: ignore[arg-type]  # it is called as what `__get__` returns
        self._recorded = recorded
        self._is_inner = is_inner

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self._recorded
        method: Any = self.__wrapped__ if self._is_inner() else self._recorded  # type: ignore[attr-defined]
        return method.__get__(instance, owner)

    def __reduce__(self) -> tuple[Any, ...]:
        return copy.copy, (self.__wrapped__,)  # type: ignore[attr-defined]  # which copies no function


def ours(function: Any) -> Any:
    """Mark a function as one that can be put back, and let warnings pass over its frame."""
    function.runlore_wrapper = True
    return guest.unseen(function)


def is_ours(found: Any) -> bool:
    """Return True for what stands in the place of an original."""
    return bool(getattr(getattr(found, "__func__", found), "runlore_wrapper", False))


# cloudpickle takes functions of __main__ to loky's workers by value, and our wrappers with them. So a wrapper closes
# over nothing but the original, finds us by an import, and goes without us where we are not installed. What it does
# before and behind the call is in a block, as a function would be one more line in the user's tracebacks.


def recorded_fit(fit: Method) -> Any:
    """Return a method that records a fit."""

    @functools.wraps(fit)
    def fit_recorded(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._methods import fitting
        except ImportError:
            return fit(self, *args, **kwargs)
        with fitting(fit, self, args, kwargs):
            return fit(self, *args, **kwargs)

    return ours(fit_recorded)


def recorded_partial(method: Method) -> Any:
    """Return a method that records a fit of a part."""

    @functools.wraps(method)
    def partial_fit_recorded(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._methods import fitting_part
        except ImportError:
            return method(self, *args, **kwargs)
        with fitting_part(method, self, args, kwargs):
            return method(self, *args, **kwargs)

    return ours(partial_fit_recorded)


def recorded_score(score: Method) -> Any:
    """Return a method that records a score."""

    @functools.wraps(score)
    def score_recorded(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            from runlore_sklearn._methods import scoring
        except ImportError:
            return score(self, *args, **kwargs)
        with scoring(self, args, kwargs) as told:
            value = score(self, *args, **kwargs)
            told.append(value)
            return value

    return ours(score_recorded)


def recorded_load(load: Callable[..., Any], module: str = "") -> Any:
    """Return a function that reads objects from a file, and notes it."""

    @functools.wraps(load)
    def load_recorded(*args: Any, **kwargs: Any) -> Any:
        with guest.frameless():
            result = load(*args, **kwargs)
        if switch().on:
            try:
                _checkpoints.record_load(result, args[0] if args else kwargs.get("filename", kwargs.get("file")))
            except Exception as error:  # the file is read, which is all that the caller may notice
                guest.warn(f"the file of a model is not noted: {type(error).__name__}: {error}")
        return result

    load_recorded.__module__ = module or load.__module__
    return ours(load_recorded)


def recorded_dump(dump: Callable[..., Any], module: str = "") -> Any:
    """Return a function that dumps objects to a file, and records it."""

    @functools.wraps(dump)
    def dump_recorded(*args: Any, **kwargs: Any) -> Any:
        with guest.frameless():
            result = dump(*args, **kwargs)
        if switch().on:
            named = dict(zip(("value", "file"), args, strict=False)) | kwargs
            try:
                _checkpoints.record_dump(named.get("value", named.get("obj")), named.get("file", named.get("filename")))
            except Exception as error:  # the file is written, which is all that the caller may notice
                guest.warn(f"a file of a model is not recorded: {type(error).__name__}: {error}")
        return result

    dump_recorded.__module__ = module or dump.__module__  # pickled by this name, which leads to the original elsewhere
    return ours(dump_recorded)


@guarded_block
def fitting(fit: Callable[..., Any], estimator: Any, args: Args, kwargs: Kwargs) -> AbstractContextManager[Any]:
    """Return a block for a fit: recorded if this is an outermost fit and autolog is on in this process."""
    if guest.in_fit():
        return busy()
    if not switch().on:
        watch = switch().watch
        return (watch(estimator) if watch is not None else None) or nullcontext()
    # What a transformer fits inside makes no runs either.
    return Training.begin(estimator, named_arguments(fit, args, kwargs)) or guest.unrecorded()


@guarded_block
def fitting_part(method: Callable[..., Any], estimator: Any, args: Args, kwargs: Kwargs) -> AbstractContextManager[Any]:
    """Return a block for a fit of a part, recorded with the estimator's run if autolog is on in this process."""
    if not switch().on or guest.in_fit():
        return nullcontext()
    return PartialFit.begin(estimator, named_arguments(method, args, kwargs)) or guest.unrecorded()


@functools.partial(guarded_block, instead=list)
@contextmanager
def scoring(estimator: Any, args: Args, kwargs: Kwargs) -> Iterator[list[Any]]:
    """Let a block tell the score, to be recorded with the estimator's run if nobody but the user asked for it."""
    told: list[Any] = []
    if is_inner_score():
        yield told
        return
    with busy():
        yield told
    for value in told:
        _evaluation.record_score(estimator, args, kwargs, value, as_written(0, "X"))


@contextmanager
def busy() -> Iterator[None]:
    """Let scores in the block be no matter of the user's."""
    before = _busy.set(True)
    try:
        yield
    finally:
        _busy.reset(before)


def is_inner_fit() -> bool:
    """Return True where a fit is part of another one, or nobody records any."""
    return not (switch().on or switch().watch) or (guest.in_fit() and (_busy.get() or not is_within_another()))


def is_inner_score() -> bool:
    """Return True where a score is no matter of the user's, or autolog is off."""
    return not switch().on or _busy.get() or (guest.in_fit() and not is_within_another())
