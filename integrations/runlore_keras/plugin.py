"""The entry point that names Keras to runlore without importing it."""

from runlore.hookspecs import Integration, hookimpl

NAME = "keras"


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Keras has no registry of callbacks: where it begins to call those of a fit, we listen, too."""
    return [Integration(NAME, "keras", _enable, _disable, ("keras",))]


def _enable() -> None:
    from runlore_keras import _seams

    _seams.wrapped.want("autolog")


def _disable() -> None:
    from runlore_keras import _seams

    _seams.wrapped.unwant("autolog")
