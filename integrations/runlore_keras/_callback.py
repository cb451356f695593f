"""The callback that users give to a fit: it holds the options of the run, and asks for the fit to be recorded."""

import os
from collections.abc import Mapping
from typing import Any

import keras

from runlore import Store
from runlore.guest.options import RunOptions


class RunloreCallback(keras.callbacks.Callback):
    """Records every fit that it is given to: `model.fit(x, y, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. The same object may be given to
    one fit after another, also to several at once; each is a run of its own. With autolog on, or given twice, a fit is
    still one run.
    """

    options = RunOptions()  # for a subclass that does not call our __init__

    def __init__(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.options = RunOptions.checked(name, experiment, tags, store)


RunloreCallback.__module__ = "runlore_keras"  # unpickling imports it from there, which wraps Keras, too
