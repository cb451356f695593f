"""The entry point that names Lightning to runlore without importing it, and the callback for autolog."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore import guest
from runlore.hookspecs import Integration, Tensor, hookimpl
from runlore_lightning._framework import NAME


class Switch(guest.Part):
    """Says whether `runlore.autolog()` is on for Lightning, in this process and in its forked children."""

    inherited = True

    def __init__(self) -> None:
        self.on = False


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Name Lightning, which asks us whenever a Trainer is made: no import has to be waited for."""
    return [Integration(NAME, None, _enable, _disable, ("lightning", "pytorch_lightning"))]


@hookimpl
def runlore_describe_weights(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """Read what `torch.save` wrote: Lightning's checkpoints, state dicts."""
    from runlore_lightning import _weights

    return _weights.read(path)


@hookimpl
def runlore_capture_seeds() -> Mapping[str, Any] | None:
    """Tell the seed of torch, where anything has imported it."""
    from runlore_lightning import _seeds

    return _seeds.seeds()


def callbacks() -> list[Any]:
    """Return the callback for a new Trainer if autolog is on. Never raises: that would end `Trainer()`."""
    try:
        if not (guest.part(Switch).on or guest.autolog_wanted(NAME)):
            return []
        from runlore_lightning import RunloreCallback

        return [RunloreCallback()]
    except Exception as error:  # Lightning calls us within Trainer()
        guest.warn(f"Lightning is not recorded: {type(error).__name__}: {error}")
        return []


def _enable() -> None:
    guest.part(Switch).on = True


def _disable() -> None:
    guest.part(Switch).on = False
