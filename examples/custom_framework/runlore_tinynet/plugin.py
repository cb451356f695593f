"""The entry point, which names tinynet to runlore without importing it."""

from runlore import hookimpl
from runlore.hookspecs import Integration


@hookimpl
def runlore_register_integrations():
    return [Integration("tinynet", "tinynet.training", enable, disable)]


def enable():
    from runlore_tinynet.recording import RunloreCallback
    from tinynet.training import default_callbacks

    default_callbacks.append(RunloreCallback)


def disable():
    from runlore_tinynet.recording import RunloreCallback
    from tinynet.training import default_callbacks

    if RunloreCallback in default_callbacks:
        default_callbacks.remove(RunloreCallback)
