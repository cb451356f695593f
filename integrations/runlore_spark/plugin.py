"""The entry point, which names pyspark.ml to runlore without importing it."""

from runlore.hookspecs import Integration, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Return pyspark.ml. It has neither callbacks nor a registry, so autolog wraps what every fit goes through."""
    from runlore_spark._framework import NAME

    return [Integration(NAME, "pyspark.ml", _enable, _disable, ("pyspark",))]


def _enable() -> None:
    from runlore_spark import _wrapping

    _wrapping.wrapped().want("autolog")


def _disable() -> None:
    from runlore_spark import _wrapping

    _wrapping.wrapped().unwant("autolog")
