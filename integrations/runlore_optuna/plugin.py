"""The entry point that names Optuna to runlore without importing it."""

from runlore.hookspecs import Integration, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Name Optuna, to be wrapped once it is imported."""
    from runlore_optuna._framework import NAME

    return [Integration(NAME, "optuna", _enable, _disable)]


def _enable() -> None:
    from runlore_optuna import _wrapping

    _wrapping.wrapped().want("autolog")


def _disable() -> None:
    from runlore_optuna import _wrapping

    _wrapping.wrapped().unwant("autolog")
