"""The functions of Keras that are wrapped: those that fit, evaluate, save and load models.

Keras calls no hook when a fit fails, and none when a model is saved or loaded. So the functions that every such call
goes through are wrapped, as soon as RunloreCallback is imported or autolog is switched on. A fit is recorded if it has
a callback of ours, or autolog is on; the wrappers do nothing for others.
"""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import keras

from runlore import guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import OnDemand, Wrappers, arguments, as_written
from runlore_keras import _checkpoints, _framework
from runlore_keras._callback import RunloreCallback
from runlore_keras._calls import FitCall, Late, end_late, evaluate_calls, fit_call_of, fit_calls, late_call
from runlore_keras._evaluation import Evaluation, beside_fit
from runlore_keras._owners import note_kept, note_loaded, note_set, owners
from runlore_keras._parts import record_part
from runlore_keras._training import Training, record_failed


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
    wrappers.wrap(keras.Model, "get_weights", _get_weights)
    wrappers.wrap(keras.Model, "set_weights", _set_weights)
    wrappers.wrap(keras.callbacks.CallbackList, "on_train_begin", _begin)
    wrappers.wrap(keras.callbacks.CallbackList, "on_train_end", _finish)
    wrappers.wrap(keras.callbacks.CallbackList, "on_test_end", _evaluated)
    wrappers.wrap(keras.callbacks.EarlyStopping, "on_train_end", _restore)
    try:
        wrappers.wrap(_framework.tracebacks(), "_process_traceback_frames", _left)
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
    call = FitCall(model, arguments(fit, model, *args, **kwargs), _failed)
    return fit_calls.during(call, fit, model, *args, **kwargs)


@guest.harmless
def _failed(call: FitCall, error: BaseException) -> None:
    """Record a call that raised before its callbacks were told of a fit, if the fit would have been recorded."""
    given = call.arguments.get("callbacks")
    given = getattr(given, "callbacks", given)  # of a CallbackList
    options = _wanted(given if isinstance(given, list | tuple) else [given])
    if options is not None and call.arguments:  # else the call itself was wrong
        record_failed(call, options, error)


def _wanted(callbacks: Iterable[Any]) -> RunOptions | None:
    """Return the options for the run of a fit with these callbacks; None where it is not to be recorded."""
    return RunOptions.wanted(callbacks, RunloreCallback, autolog=wrapped().is_wanted("autolog"))


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
    call = fit_call_of(model)
    if call is not None:
        call.has_begun = True
    options = _wanted(callbacks.callbacks)
    if call is None and options is not None:
        call = late_call(model)
    if options is None:
        owners().discard(model)
    elif not Training.begin(model, callbacks, options, call):
        record_part(model, callbacks, call)


@guest.unseen
def _left(process: Callable[..., Any], traceback: Any) -> Any:
    """Shorten the traceback of an exception that leaves a function of Keras: a late call, maybe."""
    end_late(sys.exception())
    return process(traceback)


@guest.unseen
def _finish(on_train_end: Callable[..., Any], callbacks: Any, logs: Any = None) -> Any:
    """Call the callbacks at the end of a fit; this is all that is seen of the end of a user's own loop."""
    result = on_train_end(callbacks, logs)
    _finish_training(callbacks)
    return result


@guest.harmless
def _finish_training(callbacks: Any) -> None:
    model = getattr(callbacks, "model", None)
    guest.part(Late).drop(model)
    if fit_call_of(model) is None:
        training = owners().pop_training(callbacks)
        if training is not None:
            training.end(None)


@guest.unseen
def _restore(on_train_end: Callable[..., Any], callback: Any, logs: Any = None) -> Any:
    """Let early stopping put the best weights back, and note of which epoch they are."""
    result = on_train_end(callback, logs)
    _note_restored(callback)
    return result


@guest.harmless
def _note_restored(callback: Any) -> None:
    owner = owners().last(callback.model) if callback.restore_best_weights else None
    if owner is not None and owner.training is not None and callback.best_weights is not None:
        owner.training.restored(epoch=callback.best_epoch)


# Evaluating


@guest.unseen
def _evaluate(evaluate: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `evaluate`, and add its metrics to the run of the weights, unless it is the validation of a fit."""
    evaluation = None
    beside = beside_fit(model) if guest.in_fit() and not _is_fitted(model) else None
    if beside is not None or _is_told(model):
        found = arguments(evaluate, model, *args, **kwargs)
        if not owners().is_recorded(found.get("callbacks")):
            evaluation = Evaluation(model, found, as_written(0, "x"), beside)
    if evaluation is None:
        return evaluate(model, *args, **kwargs)
    return evaluate_calls.during(evaluation, _alone, evaluate, model, *args, **kwargs)


@guest.unseen
def _alone(evaluate: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
    with guest.unrecorded():  # fits of metrics are a part of it
        return evaluate(model, *args, **kwargs)


def _is_told(model: Any) -> bool:
    """Return True for an evaluation that is no part of a fit, or is made by a callback of the model's own one."""
    return _is_trained(model) or not (guest.in_fit() or _is_fitted(model))


def _is_trained(model: Any) -> bool:
    owner = owners().last(model)
    return owner is not None and owner.training is not None


def _is_fitted(model: Any) -> bool:
    """Return True while a fit of a model is under way, whether or not it is recorded."""
    return _is_trained(model) or fit_call_of(model) is not None


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


@guest.unseen
def _get_weights(get: Callable[..., Any], layer: Any, *args: Any, **kwargs: Any) -> Any:
    result = get(layer, *args, **kwargs)
    note_kept(layer, result)
    return result


@guest.unseen
def _set_weights(put: Callable[..., Any], layer: Any, *args: Any, **kwargs: Any) -> Any:
    result = put(layer, *args, **kwargs)
    note_set(layer)
    return result
