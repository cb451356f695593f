"""The entry point, which names transformers to runlore without importing it."""

from collections.abc import Mapping, Sequence

from runlore.hookspecs import Integration, ModelFile, Tensor, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Return transformers. Every Trainer, also of trl and others, begins with the default callbacks of this module."""
    from runlore_transformers._framework import NAME

    return [Integration(NAME, "transformers.trainer", _enable, _disable, ("transformers", "accelerate"))]


@hookimpl
def runlore_describe_weights(file: ModelFile) -> Mapping[str, Sequence[Tensor]] | None:
    """Return the tensors of a safetensors file."""
    from runlore_transformers import _weights

    return _weights.read(file)


def _enable() -> None:
    from runlore_transformers import _wrapping

    _wrapping.enable_autolog()


def _disable() -> None:
    from runlore_transformers import _wrapping

    _wrapping.disable_autolog()
