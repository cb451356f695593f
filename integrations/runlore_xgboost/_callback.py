"""The callback that users give to a training: it holds the options of the run, and asks for a record."""

import os
from collections.abc import Mapping
from typing import Any

from xgboost.callback import TrainingCallback

from runlore import Store
from runlore.guest.options import RunOptions


class RunloreCallback(TrainingCallback):
    """Records each training that it is given to: `xgboost.train(params, data, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. `xgboost.cv` and estimators take
    it, too: `XGBClassifier(callbacks=[RunloreCallback()])`. The same object may be given to one training after another,
    also to several at once; each is a run of its own. With autolog on, or given twice, a training is still one run.
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


RunloreCallback.__module__ = "runlore_xgboost"  # unpickling imports it from there, which wraps xgboost, too
