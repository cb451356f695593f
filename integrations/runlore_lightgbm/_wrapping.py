"""The functions of lightgbm that are wrapped: those that train, and those that save and read models.

lightgbm tells nobody how a training ended, nor who has begun it.
"""

import inspect
import sys
from collections.abc import Callable, Iterable
from typing import Any

import lightgbm
from lightgbm import engine

from runlore import guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import OnDemand, Wrappers, arguments
from runlore_lightgbm import _checkpoints, _framework
from runlore_lightgbm._callback import RunloreCallback
from runlore_lightgbm._calls import Fit, TrainCall, Unrecorded, calls
from runlore_lightgbm._owners import origins
from runlore_lightgbm._training import Listener, Training


class Wrapped(OnDemand, guest.Part):
    """The wrapped functions of this process, as long as a callback may be used or autolog is on."""

    inherited = True  # lightgbm in a forked child is wrapped, too

    def __init__(self) -> None:
        super().__init__(_wrap)


def wrapped() -> Wrapped:
    """Return the wrappers of this process."""
    return guest.part(Wrapped)


def _wrap(wrappers: Wrappers) -> None:
    _framework.check_version()
    estimators = sys.modules.get("lightgbm.sklearn")  # it has the function by a name of its own
    for module in (lightgbm, engine, *([] if estimators is None else [estimators])):
        wrappers.wrap(module, "train", _train)
    for module in (lightgbm, engine):
        wrappers.wrap(module, "cv", _cv)
    wrappers.wrap(lightgbm.Booster, "__init__", _make)
    wrappers.wrap(lightgbm.Booster, "eval_valid", _eval_valid)
    wrappers.wrap(lightgbm.Booster, "save_model", _save_model)
    wrappers.wrap(lightgbm.Booster, "model_to_string", _write)
    wrappers.wrap(lightgbm.Booster, "model_from_string", _read)
    wrappers.wrap(lightgbm.Booster, "__setstate__", _unpickle)


# Training


@guest.unseen
def _train(train: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `train` with a callback of ours before the user's; only here its exception is seen."""
    call, (args, kwargs) = _begun("train", train, args, kwargs)
    return calls.during(call, train, *args, **kwargs)


@guest.unseen
def _cv(cv: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `cv`, likewise."""
    call, (args, kwargs) = _begun("cv", cv, args, kwargs)
    return calls.during(call, cv, *args, **kwargs)


def _begun(name: str, function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Fit, Any]:
    """Begin to record a call, and return what records it with the arguments to call the function with."""
    found = arguments(function, *args, **kwargs)
    callbacks = found.get("callbacks")
    if not found or not isinstance(callbacks, list | tuple | None):  # the call will tell what is wrong
        return Unrecorded(), (args, kwargs)
    call = TrainCall(name, found, _framework.fit_under_way())
    options = _wanted(callbacks or ())
    if options is None:
        origins().drop(call.estimator)
        return Unrecorded(), (args, kwargs)
    training = Training.begin(call, options)
    if training is None:
        return Unrecorded(), (args, kwargs)
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.arguments["callbacks"] = [Listener(training), *(callbacks or ())]  # first, as others get orders by place
    return training, (bound.args, bound.kwargs)


def _wanted(callbacks: Iterable[Any]) -> RunOptions | None:
    """Return the options for the run of a call with these callbacks; None where it is not to be recorded."""
    return RunOptions.wanted(callbacks, RunloreCallback, autolog=wrapped().is_wanted("autolog"))


@guest.unseen
def _eval_valid(evaluate: Callable[..., Any], booster: Any, *args: Any, **kwargs: Any) -> Any:
    """Evaluate a booster, and tell a cross-validation of the fold; others hear of their results anyway."""
    result = evaluate(booster, *args, **kwargs)
    training = calls.innermost
    if training is not None:
        training.evaluated(booster, result)
    return result


# Saving and loading


@guest.unseen
def _save_model(
    save: Callable[..., Any], booster: Any, filename: Any, num_iteration: Any = None, start_iteration: int = 0,
    *more: Any, **kwargs: Any,
) -> Any:  # fmt: skip
    result = save(booster, filename, num_iteration, start_iteration, *more, **kwargs)
    _checkpoints.record_saved(booster, filename, num_iteration, start_iteration)
    return result


@guest.unseen
def _make(make: Callable[..., Any], booster: Any, *args: Any, **kwargs: Any) -> None:
    make(booster, *args, **kwargs)
    path, text = [*args[2:4], None, None][:2]
    path, text = kwargs.get("model_file", path), kwargs.get("model_str", text)
    if path is not None:
        _checkpoints.note_read(booster, path)
    elif text is not None:
        _checkpoints.written.note_loaded(booster, text)


@guest.unseen
def _write(write: Callable[..., Any], booster: Any, *args: Any, **kwargs: Any) -> Any:
    """Write a booster as a text, as pickles and copies do, too."""
    text = write(booster, *args, **kwargs)
    _checkpoints.written.note_written(booster, text)
    return text


@guest.unseen
def _read(read: Callable[..., Any], booster: Any, model_str: Any) -> Any:
    result = read(booster, model_str)
    _checkpoints.written.note_loaded(booster, model_str)
    return result


@guest.unseen
def _unpickle(unpickle: Callable[..., Any], booster: Any, state: Any) -> Any:
    text = state.get("_handle") if isinstance(state, dict) else None  # which becomes a pointer
    result = unpickle(booster, state)
    _checkpoints.written.note_loaded(booster, text)
    return result
