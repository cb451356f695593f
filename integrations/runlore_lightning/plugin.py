"""The entry point that names Lightning to runlore without importing it, and what its factory makes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore import guest
from runlore.hookspecs import Integration, Tensor, hookimpl

NAME = "lightning"
_autolog: list[bool] = []  # not empty while `runlore.autolog()` is on


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Lightning asks us whenever a Trainer is made, so there is nothing to wait for."""
    return [Integration(NAME, None, _enable, _autolog.clear, ("lightning", "pytorch_lightning"))]


@hookimpl
def runlore_describe_weights(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """What `torch.save` wrote: Lightning's checkpoints, state dicts."""
    from runlore_lightning import _weights

    return _weights.read(path)


@hookimpl
def runlore_capture_seeds() -> Mapping[str, Any] | None:
    """Of torch, where anything has imported it."""
    from runlore_lightning import _seeds

    return _seeds.seeds()


def _enable() -> None:
    _autolog[:] = [True]


def callbacks() -> list[Any]:
    """The callback for a new Trainer if autolog is on. Never raises: that would end `Trainer()`."""
    try:
        if not (_autolog or guest.autolog_wanted(NAME)):
            return []
        from runlore_lightning import RunloreCallback

        return [RunloreCallback()]
    except Exception as error:  # Lightning calls us within Trainer()
        guest.warn(f"Lightning is not recorded: {type(error).__name__}: {error}")
        return []
