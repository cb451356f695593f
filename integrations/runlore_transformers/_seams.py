"""Where a Trainer is wrapped: what trains, evaluates, searches and saves. Nothing is recorded without our callback.

A Trainer calls no hook when a training fails, and tells its callbacks nothing of itself. So its public methods are
wrapped once, as soon as RunloreCallback is imported or autolog is switched on.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import transformers

from runlore import guest
from runlore.guest.wrapping import Calls, OnDemand, Wrappers, arguments, check_version
from runlore_transformers import _saving, _search
from runlore_transformers._evaluation import Evaluation
from runlore_transformers._recording import Training

TESTED = ("5.23",)
_calls: Calls[Any] = Calls("runlore_transformers_calls")  # of train, evaluate, predict


def _wrap(wrappers: Wrappers) -> None:
    from transformers import Trainer  # its import switches autolog on, which comes back to us

    if wrappers:
        return
    check_version("transformers", transformers.__version__, TESTED)
    wrappers.wrap(Trainer, "train", _train)
    wrappers.wrap(Trainer, "evaluate", _evaluate)
    wrappers.wrap(Trainer, "predict", _predict)
    wrappers.wrap(Trainer, "hyperparameter_search", _hyperparameter_search)
    wrappers.wrap(Trainer, "save_model", _save_model)


wrapped = OnDemand(_wrap)


def listening(callback: Any, state: Any) -> Any:
    """What hears this callback: the innermost call under way, or behind all calls the training with this state."""
    call = _calls.innermost or Training.with_state(state)
    return call if call is not None and call.listener is callback else None


class _Part:
    """A call that is a part of something else, or not recorded."""

    listener = None

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def end(self, error: BaseException | None) -> None:
        """Nothing to end."""


@guest.harmless
def _listener(trainer: Any) -> Any:
    """The callback of a Trainer that counts: the user's before autolog's."""
    from runlore_transformers._callback import AutologCallback, RunloreCallback

    callbacks = trainer.callback_handler.callbacks
    found = next((item for item in callbacks if isinstance(item, RunloreCallback)), None)
    if found is None and wrapped.is_wanted("autolog"):
        found = next((item for item in callbacks if isinstance(item, AutologCallback)), None)
    return found


@guest.harmless
def _joined(trainer: Any) -> Any:
    """The callback that a Trainer would have if it had been made after autolog was switched on."""
    from runlore_transformers._callback import AutologCallback

    if not wrapped.is_wanted("autolog"):
        return None
    made = AutologCallback()
    trainer.callback_handler.callbacks.insert(0, made)
    return made


@guest.harmless
def _made(kind: Callable[..., Any], *arguments: Any) -> Any:
    return kind(*arguments)


def _is_under_way(trainer: Any) -> bool:
    return any(call.trainer is trainer for call in _calls)


@guest.unseen
def _train(train: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    listener = _listener(trainer) or _joined(trainer)
    call = None
    if listener is not None and not guest.in_fit():
        call = _made(Training, trainer, listener, arguments(train, trainer, *args, **kwargs))
    else:
        Training.forget(trainer)
    return _calls.during(call or _Part(trainer), train, trainer, *args, **kwargs)


@guest.unseen
def _evaluate(evaluate: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    return _measure(evaluate, "eval_dataset", trainer, *args, **kwargs)


@guest.unseen
def _predict(predict: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    return _measure(predict, "test_dataset", trainer, *args, **kwargs)


@guest.unseen
def _measure(measure: Callable[..., Any], dataset: str, trainer: Any, *args: Any, **kwargs: Any) -> Any:
    if _is_under_way(trainer):  # its numbers are those of the training, or of an evaluation on several sets
        return measure(trainer, *args, **kwargs)
    listener = _listener(trainer) or _joined(trainer)
    call = None
    if listener is not None and not guest.in_fit():
        named = arguments(measure, trainer, *args, **kwargs)
        call = _made(Evaluation, trainer, listener, named.get(dataset), named.get("metric_key_prefix"))
    with guest.unrecorded() if call is not None else nullcontext():  # what metrics fit is a part of it
        return _calls.during(call or _Part(trainer), measure, trainer, *args, **kwargs)


@guest.unseen
def _hyperparameter_search(search: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    listener = _listener(trainer) or _joined(trainer)
    found = None if listener is None or guest.in_fit() else _made(_search.Search, trainer, listener)
    if found is None:
        return search(trainer, *args, **kwargs)
    return found.run(search, trainer, *args, **kwargs)


@guest.unseen
def _save_model(save_model: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    saving = None
    if _listener(trainer) is not None and not _is_under_way(trainer):
        folder = arguments(save_model, trainer, *args, **kwargs).get("output_dir")
        saving = _made(_saving.Saving, trainer, folder)
    result = save_model(trainer, *args, **kwargs)
    if saving is not None:
        saving.record()
    return result
