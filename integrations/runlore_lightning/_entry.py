"""The functions of Lightning that are wrapped: those that begin a fit or an evaluation, and the one that loads.

Lightning's entry point for callbacks leaves what it gets in `Trainer.callbacks` for good, and announces it. So where
autolog is on, or somebody made a RunloreLogger, `fit`, `validate` and `test` are wrapped instead, and add our callback
for the time of a call. No hook tells what a module was loaded from.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from runlore import guest
from runlore.guest.wrapping import OnDemand, Wrappers
from runlore_lightning._calls import end_left, is_under_way
from runlore_lightning._framework import NAME, NAMESPACES, loaded_namespaces, loading_function
from runlore_lightning._owners import owners
from runlore_lightning._switch import Switch

CALLS = ("fit", "validate", "test")


class Ours:
    """Something of ours that a Trainer may hold, among its callbacks or its loggers."""

    def attach(self, trainer: Any) -> None:
        """Note the Trainer that it was given to."""

    def as_callback(self) -> Any:
        """Return a callback that records with the same options."""
        return self


class Entry(guest.Part):
    """The wrapped functions of this process, by namespace."""

    inherited = True

    def __init__(self) -> None:
        self._calls = {name: OnDemand(partial(_wrap_calls, name)) for name in NAMESPACES}
        self._loading = {name: OnDemand(partial(_wrap_loading, name)) for name in NAMESPACES}
        self.make_callback: Callable[[], Any] | None = None  # for autolog

    def want(self, reason: str, *, calls: bool) -> None:
        """Wrap what loads modules in the namespaces that are imported, and with `calls` what fits and evaluates."""
        for name in loaded_namespaces():
            self._loading[name].want(reason)
            if calls:
                self._calls[name].want(reason)

    def unwant(self, reason: str) -> None:
        """Put everything back, unless there is another reason."""
        for found in (*self._calls.values(), *self._loading.values()):
            found.unwant(reason)


def entry() -> Entry:
    """Return the wrappers of this process."""
    return guest.part(Entry)


def _wrap_calls(namespace: str, wrappers: Wrappers) -> None:
    for name in CALLS:
        wrappers.wrap(sys.modules[namespace].Trainer, name, _attend)


def _wrap_loading(namespace: str, wrappers: Wrappers) -> None:
    try:
        wrappers.wrap(*loading_function(namespace), _load)
    except (ImportError, AttributeError) as error:  # a private name
        guest.warn(f"Lightning has changed inside: nothing is known of modules that are loaded ({error})")


@guest.unseen
def _attend(call: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `fit`, `validate` or `test` with a callback of ours, if there is reason to record it and none yet."""
    added, inside = _add_callback(trainer), is_under_way(trainer)
    try:
        return call(trainer, *args, **kwargs)
    finally:
        if not inside:
            _end_left(trainer)
        if added is not None:
            _remove_callback(trainer, added)


@guest.harmless
def _end_left(trainer: Any) -> None:
    """End what is still under way: another callback has failed in its `on_exception`, and ours was not asked."""
    end_left(trainer)


@guest.harmless
def _add_callback(trainer: Any) -> Any:
    loggers = [logger for logger in trainer.loggers if isinstance(logger, Ours)]
    for logger in loggers:
        logger.attach(trainer)
    if any(isinstance(callback, Ours) for callback in trainer.callbacks):
        return None
    make = guest.part(Entry).make_callback
    if loggers:
        added = loggers[0].as_callback()
    elif make is not None and _is_on():
        added = make()
    else:
        return None
    saving = trainer.checkpoint_callbacks  # which come last
    places = [place for place, callback in enumerate(trainer.callbacks) if any(callback is item for item in saving)]
    trainer.callbacks.insert(places[0] if places else len(trainer.callbacks), added)
    return added


def _is_on() -> bool:
    try:
        return guest.part(Switch).on or guest.autolog_wanted(NAME)
    except Exception as error:  # Lightning calls us: a setting can't be read
        guest.warn(f"Lightning is not recorded: {type(error).__name__}: {error}")
        return False


@guest.harmless
def _remove_callback(trainer: Any, added: Any) -> None:
    for place, callback in enumerate(trainer.callbacks):
        if callback is added:
            del trainer.callbacks[place]
            return


@guest.unseen
def _load(load: Callable[..., Any], cls: Any, checkpoint_path: Any, *args: Any, **kwargs: Any) -> Any:
    """Load a module, and note what it was loaded from."""
    loaded = load(cls, checkpoint_path, *args, **kwargs)
    _note_loaded(loaded, checkpoint_path)
    return loaded


@guest.harmless
def _note_loaded(module: Any, path: Any) -> None:
    owners().set_file(module, path)
