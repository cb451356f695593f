"""The entry point that names scikit-learn to runlore without importing it."""

from runlore.hookspecs import Integration, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Name scikit-learn, to be wrapped once `sklearn.base` is imported."""
    from runlore_sklearn._framework import NAME

    return [Integration(NAME, "sklearn.base", _enable, _disable)]


def _enable() -> None:
    from runlore_sklearn import enable

    enable()


def _disable() -> None:
    from runlore_sklearn import disable

    disable()
