"""Where a Trainer is wrapped: what trains, evaluates, searches and saves. Without a callback of ours nothing happens.

A Trainer calls no hook when a training fails, and tells its callbacks nothing of itself. So its public methods are
wrapped once, as soon as RunloreCallback is imported or autolog is switched on.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import transformers

from runlore import guest
from runlore.wrapping import Wrappers, arguments
from runlore_transformers import _search
from runlore_transformers._evaluation import Evaluation
from runlore_transformers._recording import Training, record_saved

TESTED = ("5.23",)
_wrappers = Wrappers()
_reasons: set[str] = set()  # why they are wrapped: "callback", "autolog"
_calls: ContextVar[tuple[Any, ...]] = ContextVar("runlore_transformers_calls", default=())  # the innermost last


def wrap_for(reason: str) -> None:
    """Wrap what there is to wrap, once."""
    from transformers import Trainer  # here, as its import switches autolog on, which comes back to us

    _reasons.add(reason)
    if _wrappers:
        return
    if ".".join(transformers.__version__.split(".")[:2]) not in TESTED:
        guest.warn(f"transformers {transformers.__version__} is not tested with runlore: it may record less than usual")
    _wrappers.wrap(Trainer, "train", _train)
    _wrappers.wrap(Trainer, "evaluate", _evaluate)
    _wrappers.wrap(Trainer, "predict", _predict)
    _wrappers.wrap(Trainer, "hyperparameter_search", _hyperparameter_search)
    _wrappers.wrap(Trainer, "save_model", _save_model)


def unwrap_for(reason: str) -> None:
    """Put everything back, unless there is another reason."""
    _reasons.discard(reason)
    if not _reasons:
        _wrappers.restore()


def listening(callback: Any) -> Any:
    """The innermost call under way, if it listens to this callback."""
    call = next(reversed(_calls.get()), None)
    return call if call is not None and call.listener is callback else None


def _listener(trainer: Any) -> Any:
    """The callback of a Trainer that counts: the user's before autolog's."""
    from runlore_transformers._callback import AutologCallback, RunloreCallback

    callbacks = trainer.callback_handler.callbacks
    found = next((item for item in callbacks if isinstance(item, RunloreCallback)), None)
    if found is None and "autolog" in _reasons:
        found = next((item for item in callbacks if isinstance(item, AutologCallback)), None)
    return found


def _is_under_way(trainer: Any) -> bool:
    return any(call.trainer is trainer for call in _calls.get())


class _Part:
    """A call that is a part of something else, or not recorded."""

    listener = None

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def end(self, error: BaseException | None) -> None:
        """Nothing to end."""


@guest.unseen
def _during(call: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a Trainer's method, and learn of its exception."""
    token = _calls.set((*_calls.get(), call))
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        call.end(error)
        raise
    finally:
        _calls.reset(token)
    call.end(None)
    return result


@guest.unseen
def _train(train: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    listener = _listener(trainer)
    if listener is None or guest.in_fit():
        return _during(_Part(trainer), train, trainer, *args, **kwargs)
    call = Training(trainer, listener, arguments(train, trainer, *args, **kwargs))
    return _during(call, train, trainer, *args, **kwargs)


@guest.unseen
def _evaluate(evaluate: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    return _measure(evaluate, "eval_dataset", trainer, *args, **kwargs)


@guest.unseen
def _predict(predict: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    return _measure(predict, "test_dataset", trainer, *args, **kwargs)


@guest.unseen
def _measure(measure: Callable[..., Any], dataset: str, trainer: Any, *args: Any, **kwargs: Any) -> Any:
    listener = _listener(trainer)
    if _is_under_way(trainer):  # its numbers are those of the training, or of an evaluation on several sets
        return measure(trainer, *args, **kwargs)
    if listener is None or guest.in_fit():
        return _during(_Part(trainer), measure, trainer, *args, **kwargs)
    call = Evaluation(trainer, listener, arguments(measure, trainer, *args, **kwargs).get(dataset))
    return _during(call, measure, trainer, *args, **kwargs)


@guest.unseen
def _hyperparameter_search(search: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    listener = _listener(trainer)
    if listener is None or guest.in_fit():
        return search(trainer, *args, **kwargs)
    return _search.record(search, trainer, listener, args, kwargs)


@guest.unseen
def _save_model(save_model: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    result = save_model(trainer, *args, **kwargs)
    if _listener(trainer) is not None and not _is_under_way(trainer):
        record_saved(trainer, arguments(save_model, trainer, *args, **kwargs).get("output_dir"))
    return result
