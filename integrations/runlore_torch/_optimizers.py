"""The settings of optimizers, and the learning rates of their groups of parameters."""

from typing import Any

from runlore.guest.captured import Captured, defaults_of, marked

FLAGS = ("foreach", "fused", "capturable", "differentiable", "params", "param_names", "initial_lr", "name")


def settings(optimizer: Any) -> dict[str, Any]:
    """Return the settings of the first group; of further ones what differs from it, by `group_1` and so on.

    The rate is the one that a scheduler begins with, not where its warm-up has got to.
    """
    defaults = defaults_of(type(optimizer))
    groups = [_of_group(group) for group in optimizer.param_groups]
    found: dict[str, Any] = {"name": type(optimizer).__name__, **marked(_plain(groups[0]), defaults)}
    for place, group in enumerate(groups[1:], 1):
        differs = {name: value for name, value in group.items() if name not in groups[0] or value != groups[0][name]}
        found[f"group_{place}"] = marked(_plain(differs), defaults)
    if len(groups) > 1:
        found["groups"] = Captured(len(groups))
    return found


def rates(optimizer: Any) -> tuple[Any, ...]:
    """Return the learning rates of the groups, None for one that has none."""
    return tuple([group.get("lr") for group in optimizer.param_groups])


def named_rates(found: tuple[Any, ...], ending: str) -> dict[str, Any]:
    """Return learning rates by key: `lr`, or `lr_0`, `lr_1`, … of several groups that differ."""
    if len(set(map(str, found))) == 1:
        return {} if found[0] is None else {f"lr{ending}": found[0]}
    return {f"lr_{place}{ending}": rate for place, rate in enumerate(found) if rate is not None}


def _of_group(group: dict[str, Any]) -> dict[str, Any]:
    rate = {"lr": group["initial_lr"]} if "initial_lr" in group else {}
    return {name: value for name, value in {**group, **rate}.items() if name not in FLAGS}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return values with those read that are tensors in this machine's memory; one on a device is told by its kind."""
    return {name: _number(value) if hasattr(value, "is_cpu") else value for name, value in values.items()}


def _number(tensor: Any) -> Any:
    return tensor.item() if tensor.is_cpu and tensor.numel() == 1 else f"tensor on {tensor.device}"
