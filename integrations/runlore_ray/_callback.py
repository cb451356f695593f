"""The callback that users hand to Tune and to Train: it names a run, and is otherwise silent."""

from ray.train.v2.api.callback import UserCallback
from ray.tune import Callback

from runlore.guest.options import TakesOptions


class RunloreCallback(TakesOptions, Callback, UserCallback):
    """Records the experiments that it is given to: `RunConfig(callbacks=[RunloreCallback()])`, of Tune and of Train.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. The same object may be given to
    one after another, and to several at once.
    """


RunloreCallback.__module__ = "runlore_ray"
