"""The callback that users give to a fit: it holds the options of the run, and asks for a record."""

from typing import Any

from runlore import guest
from runlore.guest.options import TakesOptions
from runlore_catboost._calls import calls


class RunloreCallback(TakesOptions):
    """Records each fit that it is given to: `CatBoostClassifier().fit(X, y, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. The same object may be given to
    one fit after another, also to several at once; each is a run of its own. With autolog on, or given twice, a fit is
    still one run. On a GPU, where catboost takes no callbacks, it may be given, too.
    """

    def after_iteration(self, info: Any) -> bool:
        """Tell where nothing is recorded: `fit` was looked up before it could be wrapped. Never ends a training."""
        if info.iteration == 1 and calls.innermost is None and not guest.in_fit():
            guest.warn("this training is not recorded: import runlore_catboost before you look up `fit`")
        return True


RunloreCallback.__module__ = "runlore_catboost"  # unpickling imports it from there, which wraps catboost, too
