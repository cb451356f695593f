"""runlore for fastai, in a file of your own: `Learner(dls, model, cbs=RunloreCallback())`, then `learn.fit(…)`."""

from fastai.callback.core import Callback
from fastai.learner import Learner

from runlore import FitSession, guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import ByIdentity, OnDemand, arguments

SESSIONS = ByIdentity()  # of the learners that train now


class RunloreCallback(Callback):
    """Asks for a record; `options`, a RunOptions, hold the name, experiment, tags and store of the runs."""

    order, run_valid = 55, False  # behind fastai's Recorder, before what stops early

    def __init__(self, options=None):
        self.options = options or RunOptions()

    def after_batch(self):
        """Record the loss and the rate of a step."""
        self._log({"loss": self.loss, "lr": self.opt.hypers[-1]["lr"]})

    def after_epoch(self):
        """Record what fastai's Recorder tells of an epoch."""
        self._log(dict(zip(self.recorder.metric_names[1:], self.recorder.values[-1], strict=False)))

    def after_cancel_fit(self):
        """Tell that a callback has ended the fit, as early stopping does."""
        if session := SESSIONS.get(self.learn):
            session.stopped("a callback cancelled the fit", step=self.train_iter)

    def _log(self, numbers):
        if session := SESSIONS.get(self.learn):
            session.metrics(numbers, step=self.train_iter, epoch=self.epoch)


@guest.unseen
def recorded(fit, learn, *args, **kwargs):
    named = arguments(fit, learn, *args, **kwargs)
    callbacks = learn.cbs + named.get("cbs")
    ours = callbacks.filter(lambda item: isinstance(item, RunloreCallback))
    if not ours or "lr_finder" in callbacks.attrgot("name"):
        return fit(learn, *args, **kwargs)
    told = {"n_epoch": named["n_epoch"], "bs": learn.dls.bs}
    with FitSession.begin("fastai", ours[0].options.request(), params=told) as session:
        session.loader("train", learn.dls.train.dataset)
        SESSIONS.set(learn, session)
        try:
            return fit(learn, *args, **kwargs)
        finally:
            SESSIONS.pop(learn)


OnDemand(lambda wrappers: wrappers.wrap(Learner, "fit", recorded)).want("callback")
