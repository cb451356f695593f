"""The entry point, which names the framework without importing it."""

from runlore.hookspecs import Integration, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    return [Integration("mini", "mini.framework", _enable, _disable)]


def _enable() -> None:
    from .recording import WRAPPED

    WRAPPED.want("autolog")


def _disable() -> None:
    from .recording import WRAPPED

    WRAPPED.unwant("autolog")
