"""The callback: it hears of epochs, and holds what the user said of the run."""

import os
from collections.abc import Mapping
from typing import Any

import keras

from runlore import Store, guest
from runlore.options import RunOptions
from runlore_keras._recording import Call, Recording


class RunloreCallback(keras.callbacks.Callback):
    """Records every fit that it is given to: `model.fit(x, y, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` the place for it. The same object may be given to one
    fit after another; each is a run of its own. With autolog on, or given twice, a fit is still one run.
    """

    _options = RunOptions()  # of a subclass that does without our __init__
    _recording: Recording | None = None

    def __init__(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self._options = RunOptions.checked(name, experiment, tags, store)

    @property
    def of_model(self) -> Any:
        """The model that it was given, without the synchronisation that `model` means on some backends."""
        return self._model

    @guest.harmless
    def begin(self, callbacks: Any, call: Call | None) -> None:
        """A fit has begun; `call` is that of Keras's own `fit`, None in a loop of the user's."""
        self._recording = Recording.begin(self.of_model, callbacks, self._options, call)

    @guest.harmless
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """The callbacks behind this one are through with the epoch before."""
        if self._recording is not None:
            self._recording.begin_epoch(epoch)

    @guest.harmless
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record what Keras gives to its own History, which has been read from the device already."""
        if self._recording is not None:
            self._recording.take(epoch, logs or {})

    @guest.harmless
    def finish(self) -> None:
        """A loop of the user's is over."""
        if self._recording is not None:
            self._recording.end(None)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_recording": None}  # a copy is of no fit that is under way


class AutologCallback(RunloreCallback):
    """The one that autolog adds for a single fit."""


RunloreCallback.__module__ = "runlore_keras"  # a pickle finds it there, too, where Keras is wrapped for it
