"""Where Keras is wrapped: what fits, evaluates, saves and loads models. Without a callback of ours nothing happens.

Keras calls no hook when a fit fails, and none when a model is saved or loaded. So the functions that everybody's calls
go through are wrapped once, as soon as a RunloreCallback is made or autolog is switched on.
"""

import os
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import keras

from runlore import guest
from runlore.wrapping import Wrappers, arguments
from runlore_keras import _evaluation
from runlore_keras._recording import Call, Recording, note_loaded

TESTED = ("3.15",)
_wrappers = Wrappers()
_reasons: set[str] = set()  # why they are wrapped: "callback", "autolog"
_calls: ContextVar[tuple[Call, ...]] = ContextVar("runlore_keras_calls", default=())  # of fit, the innermost last

autolog: Callable[[], Any] | None = None  # makes the callback for a fit that has none


def wrap_for(reason: str) -> None:
    """Wrap what there is to wrap, once."""
    _reasons.add(reason)
    if _wrappers:
        return
    if ".".join(keras.__version__.split(".")[:2]) not in TESTED:
        guest.warn(f"Keras {keras.__version__} is not tested with runlore: it may record less than usual")
    _wrappers.wrap(keras.Model, "fit", _fit)
    _wrappers.wrap(keras.Model, "evaluate", _evaluate)
    _wrappers.wrap(keras.callbacks.CallbackList, "on_train_begin", _begin)
    _wrappers.wrap(keras.callbacks.CallbackList, "on_train_end", _finish)
    _wrappers.wrap(keras.callbacks.CallbackList, "on_test_end", _evaluated)
    try:
        from keras.src.legacy.saving import legacy_h5_format
        from keras.src.saving import saving_lib

        _wrappers.wrap(saving_lib, "save_model", _save)
        _wrappers.wrap(saving_lib, "save_weights_only", _save)
        _wrappers.wrap(legacy_h5_format, "save_model_to_hdf5", _save)
        _wrappers.wrap(saving_lib, "load_model", _load)
        _wrappers.wrap(saving_lib, "load_weights_only", _load_weights)
        _wrappers.wrap(legacy_h5_format, "load_model_from_hdf5", _load)
    except (ImportError, AttributeError) as error:  # private names
        guest.warn(f"Keras has changed inside: not all checkpoints are recorded ({error})")


def unwrap_for(reason: str) -> None:
    """Put everything back, unless there is another reason."""
    _reasons.discard(reason)
    if not _reasons:
        _wrappers.restore()


# Fitting


@guest.unseen
def _fit(fit: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
    """The call of `fit`: the one who learns of its exception, and that every callback is through."""
    call = Call(model, arguments(fit, model, *args, **kwargs))
    token = _calls.set((*_calls.get(), call))
    try:
        result = fit(model, *args, **kwargs)
    except BaseException as error:
        call.end(error)
        raise
    finally:
        _calls.reset(token)
    call.end(None)
    return result


@guest.unseen
def _begin(on_train_begin: Callable[..., Any], callbacks: Any, logs: Any = None) -> Any:
    """A fit begins, and nothing else: evaluate and predict have hooks of their own."""
    ours = next((item for item in callbacks.callbacks if _is_ours(item)), None)
    if ours is None and autolog is not None:
        ours = _added(callbacks)
    try:
        return on_train_begin(callbacks, logs)
    finally:  # behind all others, one of which may have loaded a checkpoint, or failed
        if ours is not None:
            ours.begin(callbacks, _call_for(ours.of_model))


@guest.harmless
def _added(callbacks: Any) -> Any:
    """The callback of autolog, in the list for this fit: the first, so that an epoch is on disk before it is saved."""
    assert autolog is not None
    made = autolog()
    made.set_params(callbacks.params)
    made.set_model(callbacks.model)
    callbacks.callbacks.insert(0, made)
    return made


@guest.unseen
def _finish(on_train_end: Callable[..., Any], callbacks: Any, logs: Any = None) -> Any:
    """All callbacks are told of the end; a fit that isn't Keras's own is over then."""
    result = on_train_end(callbacks, logs)
    ours = next((item for item in callbacks.callbacks if _is_ours(item)), None)
    if ours is not None and _call_for(ours.of_model) is None:
        ours.finish()
    return result


def _call_for(model: Any) -> Call | None:
    """The call of fit that is under way for a model."""
    return next((call for call in reversed(_calls.get()) if call.model is model), None)


def _is_ours(callback: Any) -> bool:
    from runlore_keras._callback import RunloreCallback

    return isinstance(callback, RunloreCallback)


# Evaluating


@guest.unseen
def _evaluate(evaluate: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
    if guest.in_fit() or not _evaluation.is_known(model):
        return evaluate(model, *args, **kwargs)
    with _evaluation.listening() as heard:
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
    if _is_path(filepath):
        _record_saved(model, os.fspath(filepath))
    return result


@guest.harmless
def _record_saved(model: Any, path: str) -> None:
    Recording.saved(model, path)


@guest.unseen
def _load(load: Callable[..., Any], filepath: Any, *args: Any, **kwargs: Any) -> Any:
    model = load(filepath, *args, **kwargs)
    if _is_path(filepath):
        note_loaded(model, os.fspath(filepath))
    return model


@guest.unseen
def _load_weights(load: Callable[..., Any], model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
    result = load(model, filepath, *args, **kwargs)
    if _is_path(filepath):
        note_loaded(model, os.fspath(filepath))
    return result


def _is_path(filepath: Any) -> bool:
    return isinstance(filepath, str | os.PathLike)
