"""The callback that users hand to Tune and to Train: it names a run, and is otherwise silent."""

import os
from collections.abc import Mapping
from typing import Any

from ray.train.v2.api.callback import UserCallback
from ray.tune import Callback

from runlore import Store
from runlore.guest.options import RunOptions


class RunloreCallback(Callback, UserCallback):
    """Records the experiments that it is given to: `RunConfig(callbacks=[RunloreCallback()])`, of Tune and of Train.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. The same object may be given to
    one after another, and to several at once.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
    ) -> None:
        self.options = RunOptions.checked(name, experiment, tags, store)


RunloreCallback.__module__ = "runlore_ray"
