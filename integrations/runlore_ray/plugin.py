"""The entry point that names Ray to runlore without importing it."""

from runlore.hookspecs import Integration, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Name Tune and Train, each to be wrapped once it is imported."""
    from runlore_ray._framework import NAME, TRAINER

    return [Integration(NAME, "ray.tune", _enable_tune, _disable, ("ray",), {TRAINER: _enable_train})]


def _enable_tune() -> None:
    from runlore_ray import _wrapping

    _wrapping.tune().want("autolog")


def _enable_train() -> None:
    from runlore_ray import _wrapping

    _wrapping.train().want("autolog")


def _disable() -> None:
    from runlore_ray import _wrapping

    _wrapping.tune().unwant("autolog")
    _wrapping.train().unwant("autolog")
