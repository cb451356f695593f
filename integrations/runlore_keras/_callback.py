"""The callback that users give to a fit: it holds the options of the run, and asks for the fit to be recorded."""

import keras

from runlore.guest.options import TakesOptions


class RunloreCallback(TakesOptions, keras.callbacks.Callback):
    """Records every fit that it is given to: `model.fit(x, y, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. The same object may be given to
    one fit after another, also to several at once; each is a run of its own. With autolog on, or given twice, a fit is
    still one run.
    """


RunloreCallback.__module__ = "runlore_keras"  # unpickling imports it from there, which wraps Keras, too
