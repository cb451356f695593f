"""The entry point that names Keras to runlore without importing it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from runlore.hookspecs import Integration, Tensor, hookimpl

NAME = "keras"


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Keras has no registry of callbacks: where it begins to call those of a fit, we listen, too."""
    return [Integration(NAME, "keras", _enable, _disable, ("keras",))]


@hookimpl
def runlore_describe_weights(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """`.weights.h5` and `.keras` files."""
    from runlore_keras import _weights

    return _weights.read(path)


def _enable() -> None:
    from runlore_keras import _seams

    _seams.wrapped.want("autolog")


def _disable() -> None:
    from runlore_keras import _seams

    _seams.wrapped.unwant("autolog")
