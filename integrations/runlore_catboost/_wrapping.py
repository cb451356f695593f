"""The functions of catboost that are wrapped: those that train, and those that save and read models.

catboost has callbacks on a CPU only, and tells them neither how a fit ended nor what it was given.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import catboost
from catboost import core

from runlore import guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import Call, OnDemand, Wrappers, arguments
from runlore_catboost import _checkpoints, _framework, _params
from runlore_catboost._callback import RunloreCallback
from runlore_catboost._calls import FitCall, Unrecorded, calls
from runlore_catboost._owners import origins
from runlore_catboost._training import Training, Validation

MODELS = (catboost.CatBoost, catboost.CatBoostClassifier, catboost.CatBoostRegressor, catboost.CatBoostRanker)
MAX_LIVE = 1000  # iterations: at each one catboost gives all numbers so far to callbacks, which is quadratic


class Wrapped(OnDemand, guest.Part):
    """The wrapped functions of this process, as long as a callback may be used or autolog is on."""

    inherited = True  # catboost in a forked child is wrapped, too

    def __init__(self) -> None:
        super().__init__(_wrap)


def wrapped() -> Wrapped:
    """Return the wrappers of this process."""
    return guest.part(Wrapped)


def _wrap(wrappers: Wrappers) -> None:
    _framework.check_version()
    for cls in MODELS:
        wrappers.wrap(cls, "fit", _fit)
    for module in (catboost, core):
        wrappers.wrap(module, "cv", _cv)
    wrappers.wrap(catboost.CatBoost, "save_model", _save_model)
    wrappers.wrap(catboost.CatBoost, "load_model", _load_model)
    wrappers.wrap(catboost.CatBoost, "shrink", _shrink)
    wrappers.wrap(catboost.CatBoost, "__getstate__", _pickle)
    wrappers.wrap(catboost.CatBoost, "__setstate__", _unpickle)


@guest.unseen
def _fit(fit: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `fit` with a callback of ours before the user's; only here its exception is seen."""
    call, (args, kwargs) = _begun(fit, model, args, kwargs)
    return calls.during(call, fit, *args, **kwargs)


def _begun(fit: Callable[..., Any], model: Any, args: Any, kwargs: Any) -> tuple[Call, Any]:
    """Begin to record a fit, and return what records it with the arguments to call `fit` with."""
    args = (model, *args)
    found = arguments(fit, *args, **kwargs)
    callbacks = found.get("callbacks")
    if not found or not isinstance(callbacks, list | tuple | None):  # the call will tell what is wrong
        return Unrecorded(), (args, kwargs)
    params = _params.of_fit(model, found)
    options = RunOptions.wanted(callbacks or (), RunloreCallback, autolog=wrapped().is_wanted("autolog"))
    training = None if options is None else Training.begin(FitCall(model, found), params, options)
    if options is None:
        origins().drop(model)
    listeners: list[Any] = list(callbacks or ())
    if not _framework.takes_callbacks(params):  # a callback of the user's is refused by catboost
        listeners = [item for item in listeners if not isinstance(item, RunloreCallback)]
    elif training is not None and (listeners or _iterations(params) <= MAX_LIVE):
        listeners = [training.listener(), *listeners]
    bound = inspect.signature(fit).bind(*args, **kwargs)
    if listeners or callbacks:
        bound.arguments["callbacks"] = listeners or None
    return training or Unrecorded(), (bound.args, bound.kwargs)


def _iterations(params: Mapping[str, Any]) -> int:
    found = _framework.given(params, "iterations")
    return found if isinstance(found, int) else _framework.DEFAULT_ITERATIONS


@guest.unseen
def _cv(cv: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `cv`, and take what it returns."""
    found = arguments(cv, *args, **kwargs)
    is_wanted = wrapped().is_wanted("autolog") and isinstance(found.get("params"), Mapping)
    validation = Validation.begin(found, RunOptions()) if is_wanted else None
    if validation is None:
        return calls.during(Unrecorded(), cv, *args, **kwargs)

    def noted(*args: Any, **kwargs: Any) -> Any:
        result = cv(*args, **kwargs)
        validation.returned(result)
        return result

    return calls.during(validation, guest.unseen(noted), *args, **kwargs)


@guest.unseen
def _save_model(save: Callable[..., Any], model: Any, fname: Any, *args: Any, **kwargs: Any) -> Any:
    result = save(model, fname, *args, **kwargs)
    _checkpoints.record_saved(model, fname)
    return result


@guest.unseen
def _load_model(load: Callable[..., Any], model: Any, fname: Any = None, *args: Any, **kwargs: Any) -> Any:
    result = load(model, fname, *args, **kwargs)
    _checkpoints.note_read(model, fname)
    training = calls.innermost
    if isinstance(training, Training):
        training.loaded(model)
    return result


@guest.unseen
def _shrink(shrink: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
    known = _checkpoints.run_of(model)
    result = shrink(model, *args, **kwargs)
    start = kwargs.get("ntree_start", args[1] if len(args) > 1 else 0)
    _checkpoints.note_shrunk(model, known if start == 0 else None)
    return result


@guest.unseen
def _pickle(pickle: Callable[..., Any], model: Any) -> Any:
    """Return what a model is pickled and copied as."""
    state = pickle(model)
    _checkpoints.written.note_written(model, _checkpoints.content_of(state))
    return state


@guest.unseen
def _unpickle(unpickle: Callable[..., Any], model: Any, state: Any) -> Any:
    content = _checkpoints.content_of(state)  # which is taken out
    result = unpickle(model, state)
    _checkpoints.written.note_loaded(model, content)
    return result
