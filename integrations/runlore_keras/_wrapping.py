"""The functions of Keras that are wrapped: those that fit, evaluate, save and load models.

Keras calls no hook when a fit fails, and none when a model is saved or loaded. So the functions that every such call
goes through are wrapped, as soon as RunloreCallback is imported or autolog is switched on. A fit is recorded if it has
a callback of ours, or autolog is on; the wrappers do nothing for others.
"""

import os
from collections.abc import Callable
from typing import Any

import keras

from runlore import guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import OnDemand, Wrappers, arguments
from runlore_keras import _checkpoints, _framework
from runlore_keras._callback import RunloreCallback
from runlore_keras._calls import FitCall, evaluate_calls, fit_call_of, fit_calls
from runlore_keras._evaluation import Evaluation
from runlore_keras._owners import note_loaded, owners
from runlore_keras._training import Training


class Wrapped(OnDemand, guest.Part):
    """The wrapped functions of this process, as long as a callback may be used or autolog is on."""

    inherited = True  # Keras in a forked child is wrapped, too

    def __init__(self) -> None:
        super().__init__(_wrap)


def wrapped() -> Wrapped:
    """Return the wrappers of this process."""
    return guest.part(Wrapped)


def _wrap(wrappers: Wrappers) -> None:
    _framework.check_version()
    wrappers.wrap(keras.Model, "fit", _fit)
    wrappers.wrap(keras.Model, "evaluate", _evaluate)
    wrappers.wrap(keras.Model, "load_weights", _load_weights)
    wrappers.wrap(keras.callbacks.CallbackList, "on_train_begin", _begin)
    wrappers.wrap(keras.callbacks.CallbackList, "on_train_end", _finish)
    wrappers.wrap(keras.callbacks.CallbackList, "on_test_end", _evaluated)
    try:
        saving_lib, legacy_h5_format = _framework.saving_modules()
        wrappers.wrap(saving_lib, "save_model", _save)
        wrappers.wrap(saving_lib, "save_weights_only", _save)
        wrappers.wrap(legacy_h5_format, "save_model_to_hdf5", _save)
        wrappers.wrap(saving_lib, "load_model", _load)
        wrappers.wrap(legacy_h5_format, "load_model_from_hdf5", _load)
    except (ImportError, AttributeError) as error:  # private names
        guest.warn(f"Keras has changed inside: not all checkpoints are recorded ({error})")


# Fitting


@guest.unseen
def _fit(fit: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `fit`; only here its exception is seen, and that all callbacks have returned."""
    return fit_calls.during(FitCall(model, arguments(fit, model, *args, **kwargs)), fit, model, *args, **kwargs)


@guest.unseen
def _begin(on_train_begin: Callable[..., Any], callbacks: Any, logs: Any = None) -> Any:
    """Call the callbacks at the beginning of a fit, then record it; `evaluate` and `predict` call other hooks."""
    try:
        return on_train_begin(callbacks, logs)
    finally:  # after all callbacks: one may have loaded a checkpoint, or failed
        _begin_training(callbacks)


@guest.harmless
def _begin_training(callbacks: Any) -> None:
    model = getattr(callbacks, "model", None)
    if model is None:  # of a list that was given none
        return
    ours = next((item for item in callbacks.callbacks if isinstance(item, RunloreCallback)), None)
    if ours is not None:
        Training.begin(model, callbacks, ours.options, fit_call_of(model))
    elif wrapped().is_wanted("autolog"):
        Training.begin(model, callbacks, RunOptions(), fit_call_of(model))
    else:
        owners().discard(model)


@guest.unseen
def _finish(on_train_end: Callable[..., Any], callbacks: Any, logs: Any = None) -> Any:
    """Call the callbacks at the end of a fit; this is all that is seen of the end of a user's own loop."""
    result = on_train_end(callbacks, logs)
    _finish_training(callbacks)
    return result


@guest.harmless
def _finish_training(callbacks: Any) -> None:
    if fit_call_of(getattr(callbacks, "model", None)) is None:
        training = owners().pop_training(callbacks)
        if training is not None:
            training.end(None)


# Evaluating


@guest.unseen
def _evaluate(evaluate: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `evaluate`, and add its metrics to the run of the weights, unless it is a part of a fit."""
    evaluation = None
    if not guest.in_fit() and fit_call_of(model) is None:
        evaluation = Evaluation.begin(model, arguments(evaluate, model, *args, **kwargs))
    if evaluation is None:
        return evaluate(model, *args, **kwargs)
    with guest.unrecorded():
        return evaluate_calls.during(evaluation, evaluate, model, *args, **kwargs)


@guest.unseen
def _evaluated(on_test_end: Callable[..., Any], callbacks: Any, logs: Any = None) -> Any:
    evaluation = evaluate_calls.innermost
    if evaluation is not None:
        evaluation.take(logs)
    return on_test_end(callbacks, logs)


# Saving and loading


@guest.unseen
def _save(save: Callable[..., Any], model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
    result = save(model, filepath, *args, **kwargs)
    if isinstance(filepath, str | os.PathLike):
        _checkpoints.record_saved(model, os.fspath(filepath))
    return result


@guest.unseen
def _load(load: Callable[..., Any], filepath: Any, *args: Any, **kwargs: Any) -> Any:
    model = load(filepath, *args, **kwargs)
    note_loaded(model, filepath)
    return model


@guest.unseen
def _load_weights(load: Callable[..., Any], model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
    result = load(model, filepath, *args, **kwargs)
    note_loaded(model, filepath)
    return result
