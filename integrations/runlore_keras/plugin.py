"""The entry point that names Keras to runlore without importing it."""

from runlore.hookspecs import Integration, hookimpl

NAME = "keras"


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Keras has no registry of callbacks: where it begins to call them, ours is added."""
    return [Integration(NAME, "keras", _enable, _disable, ("keras",))]


def _enable() -> None:
    from runlore_keras import _callback, _seams

    _seams.autolog = _callback.AutologCallback
    _seams.wrap_for("autolog")


def _disable() -> None:
    from runlore_keras import _seams

    _seams.autolog = None
    _seams.unwrap_for("autolog")
