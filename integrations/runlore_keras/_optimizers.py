"""The optimizers of a fit: how each is set, which of them step, and their learning rates."""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from runlore.guest.captured import Captured, defaults_of, marked
from runlore_keras._framework import has_own_step
from runlore_keras._metrics import iterations_of, rate_of
from runlore_keras._params import short

MAX_DEPTH = 3  # of optimizers in optimizers
MAIN = ""  # the name of `model.optimizer`, whose keys are the plain ones
SERIALIZED = ("inner_optimizer", "optimizer_map")  # of a config: optimizers that are told by themselves


class Optimizers:
    """Tells of the optimizers of one fit.

    Where a model has a `train_step` of its own, or a loop of the user's trains it, `model.optimizer` may be no more
    than Keras's default, and others may step: an optimizer is told once it has made a step then.
    """

    def __init__(self, model: Any, *, is_looped: bool) -> None:
        self._is_own = is_looped or has_own_step(model)
        self._before = {name: _steps(optimizer) for name, optimizer in self._candidates(model)}
        self._keys: dict[str, str] = {} if self._is_own else {MAIN: MAIN}  # of those that step: endings by name

    def params(self, model: Any) -> dict[str, Any]:
        """Return the settings of `model.optimizer`, unless nothing shows yet that it is used."""
        main = getattr(model, "optimizer", None)
        if main is None or (self._is_own and _is_kerass_default(main)):
            return {}
        return {"optimizer": settings(main)}

    def params_of_new(self, model: Any) -> dict[str, Any]:
        """Return the settings of the optimizers that have begun to step; to be asked at the end of an epoch."""
        if not self._is_own:
            return {}
        found = dict(self._candidates(model))
        new = [name for name, item in found.items() if name not in self._keys and self._has_stepped(name, item)]
        is_only = len(new) == 1 and not self._keys
        told: dict[str, Any] = {}
        for name in new:
            ending = self._keys[name] = MAIN if is_only else name
            if ending == MAIN:
                told["optimizer"] = settings(found[name])
            else:
                told.setdefault("optimizers", {})[ending] = settings(found[name])
        return told

    def rates(self, model: Any) -> dict[str, float]:
        """Return the learning rates of the optimizers that step, by key."""
        found: dict[str, float] = {}
        for name, optimizer in self._candidates(model):
            if name in self._keys:
                found |= {"/".join(filter(None, ("learning_rate", self._keys[name], inner))): rate
                          for inner, rate in _rates(optimizer)}  # fmt: skip
        return found

    def _candidates(self, model: Any) -> Iterator[tuple[str, Any]]:
        """Yield `model.optimizer`, and others that an own `train_step` may use, by name."""
        main = getattr(model, "optimizer", None)
        if main is not None:
            yield MAIN, main
        if not self._is_own:
            return
        seen = [main]
        for name, item in sorted(_held(model), key=lambda pair: pair[0].startswith("_")):  # Keras's own lists come last
            optimizer = item if _is_optimizer(item) else getattr(item, "optimizer", None)
            if _is_optimizer(optimizer) and all(optimizer is not other for other in seen):
                seen.append(optimizer)
                yield name, optimizer

    def _has_stepped(self, name: str, optimizer: Any) -> bool:
        steps = _steps(optimizer)
        return steps is None or steps > (self._before.get(name) or 0)


def settings(optimizer: Any, depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Return the class and the arguments of an optimizer; of a wrapper those of what it wraps beside its own."""
    if not isinstance(optimizer, keras.optimizers.Optimizer):  # one of torch
        return {**_as_written(optimizer.defaults), "name": type(optimizer).__name__}
    given = {name: value for name, value in optimizer.get_config().items() if value is not None}
    inner = dict(_inside(optimizer)) if depth else {}
    config = {name: short(value) for name, value in given.items() if not inner or name not in SERIALIZED}
    told: dict[str, Any] = marked(_as_written(config), defaults_of(type(optimizer)))
    told["name"] = type(optimizer).__name__
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return {**settings(optimizer.inner_optimizer, depth - 1), "loss_scale": Captured(_plain(told))}
    return told | {name: settings(item, depth - 1) for name, item in inner.items()}


def _plain(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.value if isinstance(value, Captured) else value for name, value in told.items()}


def _rates(optimizer: Any) -> Iterator[tuple[str, float]]:
    """Yield the learning rates of an optimizer by the names of those in it; "" for its own, or that of an only one."""
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        groups = optimizer.param_groups
        yield from (("" if len(groups) == 1 else str(place), float(group["lr"])) for place, group in enumerate(groups))
        return
    inner = list(_inside(optimizer))
    for name, item in inner or [(MAIN, optimizer)]:
        rate = rate_of(item)
        if rate is not None:
            yield ("" if len(inner) == 1 else name), rate


def _inside(optimizer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the optimizers that an optimizer hands its gradients to, each by the name that it was given, or its class.

    Keras numbers the names that it makes up through the whole process, so that they differ from run to run.
    """
    found: dict[str, Any] = {}
    for _, item in _held(optimizer):
        if _is_optimizer(item) and all(item is not other for other in found.values()):
            name, cls = str(getattr(item, "name", "")), type(item).__name__.lower()
            is_made_up = re.sub(r"_\d+$", "", name).replace("_", "") in (cls, "")
            base = cls if is_made_up else name
            number = sum(re.fullmatch(rf"{re.escape(base)}(_\d+)?", other) is not None for other in found) + 1
            found[base if number == 1 else f"{base}_{number}"] = item
    yield from found.items()


def _held(holder: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds as an attribute, or in a list or dict that is one; "list.0" is a name.

    Modules of torch are held in a dict of their own, by the names of the attributes.
    """
    for name, value in list(getattr(holder, "__dict__", {}).items()):
        if isinstance(value, dict):
            yield from ((str(key) if name == "_modules" else f"{name}.{key}", item) for key, item in value.items())
        elif isinstance(value, list | tuple):
            yield from ((f"{name}.{place}", item) for place, item in enumerate(value))
        else:
            yield name, value


def _is_optimizer(item: Any) -> bool:
    torch = sys.modules.get("torch.optim")
    return isinstance(item, keras.optimizers.Optimizer) or (torch is not None and isinstance(item, torch.Optimizer))


def _is_kerass_default(optimizer: Any) -> bool:
    """Return True for what `compile` takes where it is given no optimizer; one that was written so looks the same."""
    if not isinstance(optimizer, keras.optimizers.RMSprop) or type(optimizer).__module__.partition(".")[0] != "keras":
        return False  # a backend has a class of its own for it
    return all(isinstance(value, Captured) for name, value in settings(optimizer).items() if name != "name")


def _steps(optimizer: Any) -> int | None:
    """Return how many steps an optimizer has made; None where it does not count them."""
    return iterations_of(optimizer) if isinstance(optimizer, keras.optimizers.Optimizer) else None


def _as_written(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return floats that a backend holds in 32 bits as they were written: 0.001, not 0.0010000000474974513."""
    return {
        name: float(str(np.float32(value))) if isinstance(value, float) and float(np.float32(value)) == value else value
        for name, value in config.items()
        if value is not None
    }
