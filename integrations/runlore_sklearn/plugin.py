"""The entry point: names scikit-learn to runlore without importing it."""

from runlore.hookspecs import Integration, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """scikit-learn, once `sklearn.base` is imported."""
    return [Integration("sklearn", "sklearn.base", _enable, _disable)]


def _enable() -> None:
    from runlore_sklearn import enable

    enable()


def _disable() -> None:
    from runlore_sklearn import disable

    disable()
