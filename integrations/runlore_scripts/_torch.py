"""Files of `torch.save`, `torch.load` and of their namesakes for TorchScript."""

import sys
from collections.abc import Mapping
from typing import Any

import torch

from runlore.guest.files.watch import wrote
from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import argument, reads, writes
from runlore_scripts._models import is_model


def follow(wrappers: Wrappers) -> None:
    """Follow what saves and loads."""
    wrappers.follow(torch, "save", _saved)
    wrappers.follow(torch, "load", reads("torch.load", 0, "f"))
    wrappers.follow(torch.jit, "save", _saved)
    wrappers.follow(torch.jit.RecursiveScriptModule, "save", writes("model", 1, "f"))
    wrappers.follow(torch.jit, "load", reads("torch.jit.load", 0, "f"))


def follow_export(wrappers: Wrappers) -> None:
    """Follow what saves and loads exported programs."""
    export = sys.modules["torch.export"]  # which torch imports before it is whole itself
    wrappers.follow(export, "save", writes("model", 1, "f"))
    wrappers.follow(export, "load", reads("torch.export.load", 0, "f"))


def follow_onnx(wrappers: Wrappers) -> None:
    """Follow `torch.onnx.export`."""
    wrappers.follow(sys.modules["torch.onnx"], "export", writes("model", 2, "f"))


def _saved(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
    wrote(argument(args, kwargs, 1, "f"), kind_of(argument(args, kwargs, 0, "obj", "m")))


def kind_of(value: Any) -> str:
    """Return "checkpoint" for a dict with the state of an optimizer, "model" for weights and modules, else "data"."""
    if not isinstance(value, dict):
        return "model" if is_model(value) else "data"
    if any("optim" in str(key).lower() or _is_state(item) for key, item in value.items()):
        return "checkpoint"
    has_weights = any(isinstance(item, dict) and _are_weights(item) for item in value.values())
    return "model" if has_weights or _are_weights(value) or is_model(value) else "data"


def _is_state(value: object) -> bool:
    """Return True for what `state_dict` of an optimizer returns, whatever its key is called."""
    return isinstance(value, dict) and {"state", "param_groups"} <= value.keys()


def _are_weights(value: dict[Any, Any]) -> bool:
    """Return True for what `state_dict` returns, which has metadata, or tensors by dotted names."""
    found = (isinstance(key, str) and "." in key and isinstance(item, torch.Tensor) for key, item in value.items())
    return hasattr(value, "_metadata") or any(found)
