"""The functions of transformers that are wrapped: a Trainer's methods, and what tells its callbacks.

A Trainer calls no hook when a training fails, and tells its callbacks nothing of itself. So its public methods are
wrapped, as soon as RunloreCallback is imported or autolog is switched on. A call is recorded if the Trainer has a
callback of ours, or autolog is on; the wrappers do nothing for others.

A Trainer that was made before autolog was switched on has no callback of ours, and keeps the callbacks that it has:
what it tells them goes to a stand-in, too.
"""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, cast

from runlore import guest
from runlore.guest.wrapping import ByIdentity, OnDemand, Wrappers, Written, arguments, as_written
from runlore_transformers import _framework
from runlore_transformers._callback import AutologCallback, RunloreCallback, options_of
from runlore_transformers._calls import TrainerCall, call_of, calls, take_rest, taken
from runlore_transformers._checkpoints import Saving
from runlore_transformers._evaluation import Evaluation, InnerEvaluation, Outer, beside_fit
from runlore_transformers._owners import owners
from runlore_transformers._search import Search
from runlore_transformers._training import Training

STAGES = ("eval", "test")  # what the names of metrics begin with where nobody asks for more
HEARD = "on_train_begin on_pre_optimizer_step on_log on_predict on_save".split()  # what our callbacks implement


class Wrapped(OnDemand, guest.Part):
    """The wrapped functions of this process, as long as a callback may be used or autolog is on."""

    inherited = True  # transformers in a forked child is wrapped, too

    def __init__(self) -> None:
        super().__init__(_wrap)
        self.stand_ins: ByIdentity[AutologCallback] = ByIdentity()  # by CallbackHandler


def wrapped() -> Wrapped:
    """Return the wrappers of this process."""
    return guest.part(Wrapped)


def enable_autolog() -> None:
    """Record the Trainers without a callback of the user's, too: those that are made from now on have one of ours."""
    from transformers import trainer

    wrapped().want("autolog")
    if AutologCallback not in trainer.DEFAULT_CALLBACKS:
        trainer.DEFAULT_CALLBACKS.append(AutologCallback)


def disable_autolog() -> None:
    """Take back what `enable_autolog` did."""
    from transformers import trainer

    if AutologCallback in trainer.DEFAULT_CALLBACKS:
        trainer.DEFAULT_CALLBACKS.remove(AutologCallback)
    wrapped().unwant("autolog")


def _wrap(wrappers: Wrappers) -> None:
    from transformers import Trainer  # its import may switch autolog on, which calls this, too

    if wrappers:
        return
    _framework.check_version()
    wrappers.wrap(Trainer, "train", _train)
    wrappers.wrap(Trainer, "evaluate", _evaluate)
    wrappers.wrap(Trainer, "predict", _predict)
    wrappers.wrap(Trainer, "hyperparameter_search", _hyperparameter_search)
    wrappers.wrap(Trainer, "save_model", _save_model)
    adapters = sys.modules.get("peft")  # transformers has imported it, if it is there
    if adapters is not None:
        wrappers.wrap(adapters.PeftModel, "load_adapter", _load_adapter)
    try:
        from transformers.trainer_callback import CallbackHandler

        for hook in HEARD:
            wrappers.wrap(CallbackHandler, hook, _tell_of_logs if hook == "on_log" else _tell)
    except (ImportError, AttributeError) as error:  # an internal class
        guest.warn(f"transformers has changed inside: Trainers made before autolog are not recorded ({error})")


# Who hears


@guest.harmless
def _listener_of(trainer: Any) -> Any:
    """Return the callback that hears what a Trainer tells: the user's, else autolog's; None where it has neither."""
    return _listener_in(trainer.callback_handler)


def _listener_in(handler: Any) -> Any:
    found = next((item for item in handler.callbacks if isinstance(item, RunloreCallback)), None)
    if found is None and wrapped().is_wanted("autolog"):
        found = next((item for item in handler.callbacks if isinstance(item, AutologCallback)), None)
        return found or _stand_in(handler)
    return found


def _stand_in(handler: Any) -> AutologCallback:
    """Return the callback that stands in for one of ours in a Trainer without; the first call makes it."""
    stand_ins = wrapped().stand_ins
    found = stand_ins.get(handler)
    if found is None:
        found = AutologCallback()
        stand_ins.set(handler, found)
    return found


@guest.unseen
def _tell(hook: Callable[..., Any], handler: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a hook of all callbacks, and of a stand-in before."""
    stand_in = wrapped().stand_ins.get(handler)
    if stand_in is not None:
        getattr(stand_in, hook.__name__)(*args, **kwargs)
    return hook(handler, *args, **kwargs)


@guest.unseen
def _tell_of_logs(hook: Callable[..., Any], handler: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `on_log` of all callbacks, and record what those behind ours have added to the logs."""
    names: set[Any] = set()
    token = taken.set(names)
    try:
        return _tell(hook, handler, *args, **kwargs)
    finally:
        taken.reset(token)
        take_rest(handler, _listener_in, names, arguments(hook, handler, *args, **kwargs))


# Calls


@guest.unseen
def _train(train: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    training = _training_of(trainer, arguments(train, trainer, *args, **kwargs))
    return calls.during(TrainerCall(trainer, training), train, trainer, *args, **kwargs)


@guest.harmless
def _training_of(trainer: Any, named: Mapping[str, Any]) -> Training | None:
    """Return what records a call of `train` with these arguments; None where nothing does."""
    listener = _listener_of(trainer)
    if listener is None or guest.is_part(_framework.NAME, asked=options_of(trainer).asked):
        owners().discard(trainer)
        if listener is not None:
            guest.tell_part(_framework.NAME)
        return None
    return Training(trainer, listener, named)


@guest.unseen
def _evaluate(evaluate: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    return _measure(evaluate, "eval_dataset", trainer, *args, **kwargs)


@guest.unseen
def _predict(predict: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    return _measure(predict, "test_dataset", trainer, *args, **kwargs)


@guest.unseen
def _measure(measure: Callable[..., Any], dataset: str, trainer: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `evaluate` or `predict`; `dataset` is the name of its argument for the data."""
    outer = call_of(trainer)
    if outer is not None and _is_several(outer.recorded):
        return measure(trainer, *args, **kwargs)
    written = as_written(0, dataset)
    evaluation = _evaluation_of(trainer, dataset, arguments(measure, trainer, *args, **kwargs), written)
    is_alone = evaluation is not None and outer is None
    with guest.unrecorded() if is_alone else nullcontext():  # fits of `compute_metrics` are a part of it
        return calls.during(TrainerCall(trainer, evaluation), measure, trainer, *args, **kwargs)


def _is_several(outer: Any) -> bool:
    """Return True for an evaluation that calls itself for each of several sets, and where nothing is recorded."""
    return outer is None or getattr(outer, "is_several", False)


@guest.harmless
def _evaluation_of(
    trainer: Any, dataset: str, named: Mapping[str, Any], written: Written
) -> Evaluation | InnerEvaluation | None:
    """Return what records a call of `evaluate` or `predict` with these arguments; None where nothing does.

    `written` is the dataset in the call.
    """
    listener, outer = _listener_of(trainer), call_of(trainer)
    is_beside = outer is None and guest.in_fit()
    beside = beside_fit(trainer) if is_beside and listener is not None else None
    if listener is None or (is_beside and beside is None):
        return None
    given, prefix = named.get(dataset), named.get("metric_key_prefix")
    said = written if given is not None and prefix in STAGES else None
    if outer is not None:
        return InnerEvaluation(cast(Outer, outer.recorded), trainer, given, prefix, said)
    return Evaluation(trainer, listener, given, prefix, said, beside)


@guest.unseen
def _hyperparameter_search(search: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    found = _search_of(trainer)
    if found is None:
        return search(trainer, *args, **kwargs)
    return found.run(search, trainer, *args, **kwargs)


@guest.harmless
def _search_of(trainer: Any) -> Search | None:
    """Return what records a call of `hyperparameter_search`; None where nothing does."""
    is_part = guest.is_part(_framework.NAME, asked=options_of(trainer).asked)
    return None if _listener_of(trainer) is None or is_part else Search(trainer)


@guest.unseen
def _save_model(save_model: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    saving = _saving_of(trainer, arguments(save_model, trainer, *args, **kwargs))
    result = save_model(trainer, *args, **kwargs)
    if saving is not None:
        saving.record()
    return result


@guest.harmless
def _saving_of(trainer: Any, named: Mapping[str, Any]) -> Saving | None:
    """Return what records a call of `save_model` with these arguments; None where nothing does."""
    if call_of(trainer) is not None or _listener_of(trainer) is None:
        return None
    return Saving(trainer, named.get("output_dir"))


@guest.unseen
def _load_adapter(load_adapter: Callable[..., Any], model: Any, folder: Any, *args: Any, **kwargs: Any) -> Any:
    result = load_adapter(model, folder, *args, **kwargs)
    _note_folder(model, folder)
    return result


@guest.harmless
def _note_folder(model: Any, folder: Any) -> None:
    owners().set_folder(model, os.fspath(folder))
