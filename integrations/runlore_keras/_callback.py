"""The callback that users give to a fit, to have it recorded by its options, and the one that hears of a fit."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from runlore import guest
from runlore.guest.options import TakesOptions


class RunloreCallback(TakesOptions, keras.callbacks.Callback):
    """Records every fit that it is given to: `model.fit(x, y, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. The same object may be given to
    one fit after another, also to several at once; each is a run of its own. With autolog on, or given twice, a fit is
    still one run.
    """


RunloreCallback.__module__ = "runlore_keras"  # unpickling imports it from there, which wraps Keras, too


class Listener(keras.callbacks.Callback):
    """Hears of the epochs of one fit, for what records it.

    It is the first in the list of callbacks while the fit lasts, so that an epoch is on disk before others save it.
    """

    def __init__(self, begin: Callable[[int], None], take: Callable[[int, Mapping[str, Any]], None]) -> None:
        super().__init__()
        self._begin = begin
        self._take = take

    @guest.harmless
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin an epoch; all callbacks are done with the one before."""
        self._begin(epoch)

    @guest.harmless
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the numbers that Keras gives to its own History; they have been read from the device already."""
        self._take(epoch, logs or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return keras.callbacks.Callback, ()  # a copy belongs to no fit that is under way
