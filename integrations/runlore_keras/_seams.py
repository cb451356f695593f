"""Where Keras is wrapped: what fits, evaluates, saves and loads models. Without a callback of ours nothing is recorded.

Keras calls no hook when a fit fails, and none when a model is saved or loaded. So the functions that everybody's calls
go through are wrapped once, as soon as RunloreCallback is imported or autolog is switched on.
"""

import os
from collections.abc import Callable
from typing import Any

import keras

from runlore import guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import Calls, OnDemand, Wrappers, arguments, check_version
from runlore_keras import _evaluation
from runlore_keras._callback import RunloreCallback
from runlore_keras._recording import Call, Recording, forget, note_loaded, record_saved

TESTED = ("3.15",)
_calls: Calls[Call] = Calls("runlore_keras_calls")  # of fit


def _wrap(wrappers: Wrappers) -> None:
    check_version("Keras", keras.__version__, TESTED)
    wrappers.wrap(keras.Model, "fit", _fit)
    wrappers.wrap(keras.Model, "evaluate", _evaluate)
    wrappers.wrap(keras.Model, "load_weights", _load_weights)
    wrappers.wrap(keras.callbacks.CallbackList, "on_train_begin", _begin)
    wrappers.wrap(keras.callbacks.CallbackList, "on_train_end", _finish)
    wrappers.wrap(keras.callbacks.CallbackList, "on_test_end", _evaluated)
    try:
        from keras.src.legacy.saving import legacy_h5_format
        from keras.src.saving import saving_lib

        wrappers.wrap(saving_lib, "save_model", _save)
        wrappers.wrap(saving_lib, "save_weights_only", _save)
        wrappers.wrap(legacy_h5_format, "save_model_to_hdf5", _save)
        wrappers.wrap(saving_lib, "load_model", _load)
        wrappers.wrap(legacy_h5_format, "load_model_from_hdf5", _load)
    except (ImportError, AttributeError) as error:  # private names
        guest.warn(f"Keras has changed inside: not all checkpoints are recorded ({error})")


wrapped = OnDemand(_wrap)


# Fitting


@guest.unseen
def _fit(fit: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
    """The call of `fit`: the one who learns of its exception, and that every callback is through."""
    return _calls.during(Call(model, arguments(fit, model, *args, **kwargs)), fit, model, *args, **kwargs)


@guest.unseen
def _begin(on_train_begin: Callable[..., Any], callbacks: Any, logs: Any = None) -> Any:
    """A fit begins, and nothing else: evaluate and predict have hooks of their own."""
    try:
        return on_train_begin(callbacks, logs)
    finally:  # behind all callbacks, one of which may have loaded a checkpoint, or failed
        _begin_recording(callbacks)


@guest.harmless
def _begin_recording(callbacks: Any) -> None:
    model = getattr(callbacks, "model", None)
    if model is None:  # a list that was given none
        return
    ours = next((item for item in callbacks.callbacks if isinstance(item, RunloreCallback)), None)
    if ours is not None:
        Recording.begin(model, callbacks, ours.options, _call_for(model))
    elif wrapped.is_wanted("autolog"):
        Recording.begin(model, callbacks, RunOptions(), _call_for(model))
    else:
        forget(model)  # what it is trained to now is no run's


@guest.unseen
def _finish(on_train_end: Callable[..., Any], callbacks: Any, logs: Any = None) -> Any:
    """All callbacks are told of the end; a fit that isn't Keras's own is over then."""
    result = on_train_end(callbacks, logs)
    _finish_recording(callbacks)
    return result


@guest.harmless
def _finish_recording(callbacks: Any) -> None:
    if _call_for(getattr(callbacks, "model", None)) is None:
        Recording.finish(callbacks)


def _call_for(model: Any) -> Call | None:
    """The call of fit that is under way for a model."""
    return next((call for call in _calls if call.model is model), None)


# Evaluating


@guest.unseen
def _evaluate(evaluate: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
    if guest.in_fit() or _call_for(model) is not None or not _evaluation.is_known(model):
        return evaluate(model, *args, **kwargs)
    with _evaluation.listening() as heard, guest.unrecorded():
        result = evaluate(model, *args, **kwargs)
    _evaluation.record(model, heard, arguments(evaluate, model, *args, **kwargs))
    return result


@guest.unseen
def _evaluated(on_test_end: Callable[..., Any], callbacks: Any, logs: Any = None) -> Any:
    _evaluation.tell(logs)
    return on_test_end(callbacks, logs)


# Saving and loading


@guest.unseen
def _save(save: Callable[..., Any], model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
    result = save(model, filepath, *args, **kwargs)
    if isinstance(filepath, str | os.PathLike):
        record_saved(model, os.fspath(filepath), _calls.innermost)
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
