"""The callback that users give to a fit: it holds what they said of the run, and marks the fit as one to record."""

import os
from collections.abc import Mapping
from typing import Any

import keras

from runlore import Store
from runlore.guest.options import RunOptions


class RunloreCallback(keras.callbacks.Callback):
    """Records every fit that it is given to: `model.fit(x, y, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` the place for it. The same object may be given to one
    fit after another, also to several at once; each is a run of its own. With autolog on, or given twice, a fit is
    still one run.
    """

    options = RunOptions()  # of a subclass that does without our __init__

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


RunloreCallback.__module__ = "runlore_keras"  # a pickle finds it there, too, where Keras is wrapped for it
