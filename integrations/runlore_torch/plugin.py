"""The entry point that names torch to runlore without importing it."""

from collections.abc import Mapping
from typing import Any

from runlore.hookspecs import Integration, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Name torch, whose optimizers are heard once they are imported; what a loop saves and loads belongs to it."""
    from runlore_torch._framework import NAME

    return [Integration(NAME, "torch.optim.optimizer", _enable, _disable, ("torch",), brings=("torch-files",))]


@hookimpl
def runlore_capture_seeds() -> Mapping[str, Any] | None:
    """Tell the seed of torch, where anything has imported it."""
    from runlore_torch import _seeds

    return _seeds.seeds()


def _enable() -> None:
    from runlore_torch import _wrapping

    _wrapping.wrapped().want("autolog")


def _disable() -> None:
    from runlore_torch import _wrapping

    _wrapping.wrapped().unwant("autolog")
