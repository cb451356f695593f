"""The entry point that names transformers to runlore without importing it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from runlore.hookspecs import Integration, Tensor, hookimpl

NAME = "transformers"


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Every Trainer begins with the callbacks in a list of this module, those of trl and others, too."""
    return [Integration(NAME, "transformers.trainer", _enable, _disable, ("transformers", "accelerate"))]


@hookimpl
def runlore_describe_weights(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """safetensors files."""
    from runlore_transformers import _weights

    return _weights.read(path)


def _enable() -> None:
    from transformers import trainer

    from runlore_transformers import _callback, _seams

    _seams.wrapped.want("autolog")
    if _callback.AutologCallback not in trainer.DEFAULT_CALLBACKS:
        trainer.DEFAULT_CALLBACKS.append(_callback.AutologCallback)


def _disable() -> None:
    from transformers import trainer

    from runlore_transformers import _callback, _seams

    if _callback.AutologCallback in trainer.DEFAULT_CALLBACKS:
        trainer.DEFAULT_CALLBACKS.remove(_callback.AutologCallback)
    _seams.wrapped.unwant("autolog")
