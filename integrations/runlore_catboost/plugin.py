"""The entry point, which names catboost to runlore without importing it."""

from runlore.hookspecs import Integration, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Return catboost. It has no registry of default callbacks, so autolog wraps what a training goes through."""
    from runlore_catboost._framework import NAME

    return [Integration(NAME, "catboost", _enable, _disable)]


def _enable() -> None:
    from runlore_catboost import _wrapping

    _wrapping.wrapped().want("autolog")


def _disable() -> None:
    from runlore_catboost import _wrapping

    _wrapping.wrapped().unwant("autolog")
