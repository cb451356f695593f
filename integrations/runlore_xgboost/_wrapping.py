"""The functions of xgboost that are wrapped: those that train, and those that save and read models.

xgboost tells nobody how a training ended, nor who has begun it.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import xgboost
from xgboost import training
from xgboost.callback import CallbackContainer, TrainingCheckPoint

from runlore import guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import OnDemand, Wrappers, arguments, guarded
from runlore_xgboost import _checkpoints, _framework
from runlore_xgboost._callback import RunloreCallback
from runlore_xgboost._calls import TrainCall, calls
from runlore_xgboost._owners import origins, rounds_of
from runlore_xgboost._training import Listener, Training, record_failed


class Wrapped(OnDemand, guest.Part):
    """The wrapped functions of this process, as long as a callback may be used or autolog is on."""

    inherited = True  # xgboost in a forked child is wrapped, too

    def __init__(self) -> None:
        super().__init__(_wrap)


def wrapped() -> Wrapped:
    """Return the wrappers of this process."""
    return guest.part(Wrapped)


def _wrap(wrappers: Wrappers) -> None:
    _framework.check_version()
    estimators = sys.modules.get("xgboost.sklearn")  # it has the function by a name of its own
    for module in (xgboost, training, *([] if estimators is None else [estimators])):
        wrappers.wrap(module, "train", _train)
    for module in (xgboost, training):
        wrappers.wrap(module, "cv", _cv)
    wrappers.wrap(CallbackContainer, "before_training", _before_training)
    wrappers.wrap(CallbackContainer, "after_training", _after_training)
    wrappers.wrap(TrainingCheckPoint, "after_iteration", _after_iteration)
    wrappers.wrap(xgboost.Booster, "save_model", _save_model)
    wrappers.wrap(xgboost.Booster, "load_model", _load_model)
    wrappers.wrap(xgboost.Booster, "__getitem__", _slice)
    wrappers.wrap(xgboost.Booster, "__deepcopy__", _copy)
    wrappers.wrap(xgboost.Booster, "save_raw", _save_raw)
    wrappers.wrap(xgboost.Booster, "__getstate__", _pickle)
    wrappers.wrap(xgboost.Booster, "__setstate__", _unpickle)


# Training


@guest.unseen
def _train(train: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `train`; only here its exception is seen, and that all callbacks have returned."""
    call = TrainCall("train", arguments(train, *args, **kwargs), _framework.fit_under_way(), _failed)
    return calls.during(call, train, *args, **kwargs)


@guest.unseen
def _cv(cv: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `cv`, likewise."""
    return calls.during(TrainCall("cv", arguments(cv, *args, **kwargs), None, _failed), cv, *args, **kwargs)


@guest.harmless
def _failed(call: TrainCall, error: BaseException) -> None:
    """Record a call that raised before it called its callbacks, if it would have been recorded."""
    given = call.arguments.get("callbacks")
    options = _wanted(given if isinstance(given, list | tuple) else ())
    if options is not None and call.arguments and (call.fit is None or not guest.in_fit()):
        record_failed(call, options, error)


def _wanted(callbacks: Iterable[Any]) -> RunOptions | None:
    """Return the options for the run of a call with these callbacks; None where it is not to be recorded."""
    return RunOptions.wanted(callbacks, RunloreCallback, autolog=wrapped().is_wanted("autolog"))


@guest.unseen
def _before_training(before: Callable[..., Any], container: Any, model: Any) -> Any:
    """Record a training, then tell its callbacks that it begins: one of them may fail."""
    _begin(container, model)
    return before(container, model)


@guest.harmless
def _begin(container: Any, model: Any) -> None:
    options = _wanted(container.callbacks)
    call = calls.innermost
    is_late = call is None or call.has_begun
    if is_late:  # somebody had imported the function by its name before it was wrapped
        found = _framework.running()
        call = None if found is None else TrainCall(found.name, found.arguments, found.fit)
    elif call is not None and not call.arguments:  # given by place, which xgboost itself warns of
        found = _framework.running()
        call.arguments = {} if found is None else found.arguments
    if call is None:
        return
    call.has_begun = True
    if options is None:
        origins().drop(call.estimator)
        return
    training = Training.begin(model, list(container.callbacks), call, options)
    if training is None:
        return
    call.training = training
    container.callbacks = [Listener(training), *container.callbacks]  # xgboost's own copy, which was a set before 3.1
    if is_late:
        _watch(container, call, training)


def _watch(container: Any, call: TrainCall, training: Training) -> None:
    """See what becomes of a call that goes by no wrapper of ours: by what it calls, or by what it leaves behind."""

    def watched(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return original(*args, **kwargs)
        except BaseException as error:
            call.end(error)
            raise

    for name in ("before_iteration", "after_iteration"):
        setattr(container, name, guarded(guest.unseen(watched), getattr(container, name)))
    training.watch(container)


@guest.unseen
def _after_training(after: Callable[..., Any], container: Any, model: Any) -> Any:
    """Tell the callbacks that a training ends; early stopping may return a part of the model."""
    result = after(container, model)
    _note_result(container, result)
    return result


@guest.harmless
def _note_result(container: Any, model: Any) -> None:
    ours = next((item for item in container.callbacks if isinstance(item, Listener)), None)
    if ours is None:
        return
    ours.training.settle(model)
    if ours.training not in [call.training for call in calls]:
        ours.training.end(None)


# Saving and loading


@guest.unseen
def _save_model(save: Callable[..., Any], booster: Any, fname: Any) -> Any:
    result = save(booster, fname)
    _checkpoints.record_saved(booster, fname)
    return result


@guest.unseen
def _load_model(load: Callable[..., Any], booster: Any, fname: Any) -> Any:
    result = load(booster, fname)
    _checkpoints.note_read(booster, fname)
    return result


@guest.unseen
def _slice(cut: Callable[..., Any], booster: Any, wanted: Any) -> Any:
    """Cut a booster, as the best iterations of one are; what has its first ones is that of their last iteration."""
    result = cut(booster, wanted)
    if isinstance(wanted, slice) and wanted.start in (None, 0) and wanted.step in (None, 1):
        origins().note_copy(result, booster, rounds_of)
    return result


@guest.unseen
def _save_raw(save: Callable[..., Any], booster: Any, *args: Any, **kwargs: Any) -> Any:
    result = save(booster, *args, **kwargs)
    _checkpoints.written.note_written(booster, result)
    return result


@guest.unseen
def _pickle(pickle: Callable[..., Any], booster: Any) -> Any:
    state = pickle(booster)
    _checkpoints.written.note_written(booster, state.get("handle") if isinstance(state, dict) else None)
    return state


@guest.unseen
def _unpickle(unpickle: Callable[..., Any], booster: Any, state: Any) -> Any:
    content = state.get("handle") if isinstance(state, dict) else None  # which becomes a pointer
    result = unpickle(booster, state)
    _checkpoints.written.note_loaded(booster, content)
    return result


@guest.unseen
def _copy(copy: Callable[..., Any], booster: Any, *args: Any) -> Any:
    result = copy(booster, *args)
    origins().note_copy(result, booster, rounds_of)
    return result


@guest.unseen
def _after_iteration(after: Callable[..., Any], callback: Any, model: Any, epoch: int, evals_log: Any) -> Any:
    """Let a TrainingCheckPoint save the model, and record what it pickles, as no function of xgboost does that."""
    path = _framework.pickled_by(callback, epoch)
    before = None if path is None else guest.file_state(path)
    result = after(callback, model, epoch, evals_log)
    if path is not None and guest.file_state(path) != before:
        _checkpoints.record_saved(model, path)
    return result
