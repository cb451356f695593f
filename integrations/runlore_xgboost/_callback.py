"""The callback that users give to a training: it holds the options of the run, and asks for a record."""

from xgboost.callback import TrainingCallback

from runlore.guest.options import TakesOptions


class RunloreCallback(TakesOptions, TrainingCallback):
    """Records each training that it is given to: `xgboost.train(params, data, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. `xgboost.cv` and estimators take
    it, too: `XGBClassifier(callbacks=[RunloreCallback()])`. The same object may be given to one training after another,
    also to several at once; each is a run of its own. With autolog on, or given twice, a training is still one run.
    """


RunloreCallback.__module__ = "runlore_xgboost"  # unpickling imports it from there, which wraps xgboost, too
