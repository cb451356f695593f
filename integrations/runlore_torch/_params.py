"""The models of a loop: found in the user's own variables, by the parameters that an optimizer has."""

import inspect
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from runlore.guest.captured import Captured
from runlore_torch._framework import unwrapped

MAX_VARIABLES = 2_000  # that are looked at


def models_in(frames: Iterable[FrameType], optimizer: Any) -> list[Any]:
    """Return the modules in variables of these frames that hold a parameter of an optimizer, but no parts of others."""
    import torch

    wanted = {id(param) for group in optimizer.param_groups for param in group["params"]}
    found: list[Any] = []
    for value in _values(frames):
        if isinstance(value, torch.nn.Module) and all(value is not item for item in found):
            found.append(value)
    holding = [item for item in found if any(id(param) in wanted for param in item.parameters())]
    parts = {id(part) for item in holding for part in item.modules() if part is not item}
    return [item for item in holding if id(item) not in parts]


def _values(frames: Iterable[FrameType]) -> Iterator[Any]:
    left = MAX_VARIABLES
    for frame in frames:
        names = frame.f_locals
        values = list(names.values())[:left]
        if type(names) is dict and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            names.clear()  # a copy of Python's, which would hold tensors as long as the frame lives
        left -= len(values)
        for value in values:
            yield value
            if type(value).__name__ != "function" and hasattr(value, "__dict__") and not isinstance(value, type):
                yield from list(vars(value).values())[:100]  # `self.model` of a trainer of the user's own


def params_of(models: list[Any], optimizer: Any) -> dict[str, Any]:
    """Return the class and the size of models; without one the number of parameters that the optimizer has."""
    if not models:
        count = sum(param.numel() for group in optimizer.param_groups for param in group["params"])
        return {"parameters": Captured(count)}
    return {"model" if place == 0 else f"model_{place}": Captured(_facts(item)) for place, item in enumerate(models)}


def name_of(model: Any) -> str:
    """Return the class of a model without what it is wrapped in."""
    return type(unwrapped(model)[0]).__name__


def _facts(model: Any) -> dict[str, Any]:
    inner, wrappers = unwrapped(model)
    sizes = [(param.numel(), param.requires_grad) for param in inner.parameters()]
    found: dict[str, Any] = {
        "name": type(inner).__name__,
        "parameters": sum(size for size, _ in sizes),
        "trainable": sum(size for size, trains in sizes if trains),
    }
    return found | ({"wrapped_in": wrappers} if wrappers else {})
