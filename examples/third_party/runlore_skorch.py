"""runlore for skorch, in a file of your own: `NeuralNetClassifier(Net, callbacks=[RunloreCallback()])`."""

from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping

from runlore import FitSession, guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import ByIdentity, OnDemand, arguments

SESSIONS = ByIdentity()  # of the nets that train now


class RunloreCallback(Callback):
    """Asks for a record; `options`, a RunOptions, hold the name, experiment, tags and store of the runs."""

    def __init__(self, options=None):
        self.options = options

    def on_epoch_end(self, net, **kwargs):
        """Record the numbers of an epoch."""
        session, row = SESSIONS.get(net), net.history[-1]
        if session is not None:
            numbers = {name: value for name, value in row.items() if isinstance(value, float) and name != "dur"}
            session.metrics(numbers, step=row["epoch"])


@guest.unseen
def recorded(partial_fit, net, *args, **kwargs):
    ours = [item for item in net.callbacks or () if isinstance(item, RunloreCallback)]
    if not ours:
        return partial_fit(net, *args, **kwargs)
    request = (ours[0].options or RunOptions()).request()
    with FitSession.begin("skorch", request, params=lambda: net.get_params(deep=False)) as session:
        session.data("X", arguments(partial_fit, net, *args, **kwargs).get("X"))
        SESSIONS.set(net, session)
        result = partial_fit(net, *args, **kwargs)
        if any(isinstance(item, EarlyStopping) and item.misses_ == item.patience for _, item in net.callbacks_):
            session.stopped("early stopping", step=len(net.history))
        elif len(net.history) % net.max_epochs:  # skorch swallows Ctrl-C
            session.end(interrupted=True)
    return result


OnDemand(lambda wrappers: wrappers.wrap(NeuralNet, "partial_fit", recorded)).want("callback")
