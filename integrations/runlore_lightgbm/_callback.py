"""The callback that users give to a training: it holds the options of the run, and asks for a record."""

from typing import Any

from runlore import guest
from runlore.guest.options import TakesOptions
from runlore_lightgbm._calls import calls


class RunloreCallback(TakesOptions):
    """Records each training that it is given to: `lightgbm.train(params, data, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. `lightgbm.cv` and `fit` of the
    estimators take it, too. The same object may be given to one training after another, also to several at once; each
    is a run of its own. With autolog on, or given twice, a training is still one run.
    """

    order = 0  # among callbacks: it does nothing itself
    before_iteration = False

    def __call__(self, env: Any) -> None:
        """Tell where nothing is recorded: `train` was imported by its name before it could be wrapped."""
        if env.iteration == env.begin_iteration and calls.innermost is None and not guest.in_fit():
            guest.warn("this training is not recorded: import runlore_lightgbm before `from lightgbm import train`")


RunloreCallback.__module__ = "runlore_lightgbm"  # unpickling imports it from there, which wraps lightgbm, too
