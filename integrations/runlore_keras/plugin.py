"""The entry point, which names Keras to runlore without importing it."""

from collections.abc import Mapping, Sequence

from runlore.hookspecs import Integration, ModelFile, Tensor, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Return Keras. It has no registry of default callbacks, so autolog wraps what a fit goes through."""
    from runlore_keras._framework import NAME

    return [Integration(NAME, "keras", _enable, _disable, ("keras",))]


@hookimpl
def runlore_describe_weights(file: ModelFile) -> Mapping[str, Sequence[Tensor]] | None:
    """Return the variables of a `.weights.h5` or `.keras` file."""
    from runlore_keras import _weights

    return _weights.read(file)


def _enable() -> None:
    from runlore_keras import _wrapping

    _wrapping.wrapped().want("autolog")


def _disable() -> None:
    from runlore_keras import _wrapping

    _wrapping.wrapped().unwant("autolog")
