"""Tell the optimizers of a training, and the learning rates of their groups of parameters."""

import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runlore.guest.captured import Captured, defaults_of, marked
from runlore.guest.wrapping import ByIdentity

FLAGS = ("foreach", "fused", "capturable", "differentiable", "params", "param_names", "initial_lr", "name")
NONE = "_MockOptimizer"  # Lightning's, where a module configures no optimizer


class Stepped:
    """Notices, in the thread that opened it, optimizers that are stepped without the framework's knowledge.

    torch calls it at every step of any optimizer. It keeps none of them alive.
    """

    def __init__(self, known: Sequence[Any] = ()) -> None:
        self._seen: ByIdentity[bool] = ByIdentity()
        self._found: list[weakref.ref[Any]] = []
        self._thread = threading.get_ident()
        self._told: list[tuple[int, int]] = []
        self._handle: Any = None
        for item in known:
            self._seen.set(item, True)

    @property
    def found(self) -> list[Any]:
        """Those that were noticed and are there."""
        return [item for reference in self._found if (item := reference()) is not None]

    def open(self) -> None:
        """Begin to notice them."""
        from torch.optim.optimizer import register_optimizer_step_post_hook

        self._handle = register_optimizer_step_post_hook(self._note)

    def is_news(self) -> bool:
        """Return True if some were found, or have grown, since it was last asked."""
        now = [(id(item), len(item.param_groups)) for item in self.found]
        before, self._told = self._told, now
        return now != before

    def close(self) -> None:
        """Notice no more."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _note(self, optimizer: Any, *_: Any) -> None:
        if threading.get_ident() == self._thread and self._seen.get(optimizer) is None:
            self._seen.set(optimizer, True)
            if _is_real(optimizer):
                self._found.append(weakref.ref(optimizer))


def configured(trainer: Any) -> list[Any]:
    """Return the optimizers that the module has configured, without what a strategy wraps them in."""
    found = [getattr(item, "optimizer", item) for item in trainer.optimizers]
    return [item for item in found if _is_real(item)]


def _is_real(optimizer: Any) -> bool:
    return type(optimizer).__name__ != NONE


def steps_done(trainer: Any) -> int:
    """Return `global_step`; batches where the module configures no optimizer, as Lightning counts no other's steps."""
    if trainer.global_step or configured(trainer):
        return int(trainer.global_step)
    return int(trainer.fit_loop.epoch_loop.batch_progress.total.processed)


def optimizers(trainer: Any, stepped: Sequence[Any] = ()) -> dict[str, Any]:
    """Return the settings of the optimizers, and of those that the module steps itself."""
    return settings([*configured(trainer), *stepped])


def settings(found: Sequence[Any]) -> dict[str, Any]:
    """Return the settings of optimizers, by "optimizer", "optimizer_1", …"""
    return {numbered("optimizer", place): _settings(item) for place, item in enumerate(found)}


def rates(trainer: Any, stepped: Sequence[Any] = ()) -> dict[str, float]:
    """Return the learning rate of every group of parameters, named as Lightning's LearningRateMonitor names it."""
    scheduled = [(config.scheduler.optimizer, config.name) for config in trainer.lr_scheduler_configs]
    rest = [item for item in (*configured(trainer), *stepped) if all(item is not other for other, _ in scheduled)]
    return rates_of([*scheduled, *((item, None) for item in rest)])


def rates_of(named: Sequence[tuple[Any, str | None]]) -> dict[str, float]:
    """Return the learning rates of optimizers; where one has no name, its class tells it, and a number from 1 on."""
    found: dict[str, float] = {}
    seen: dict[type, int] = {}
    for optimizer, given in named:
        kind = type(optimizer)
        if given is None:
            seen[kind] = seen.get(kind, 0) + 1
        number = seen.get(kind, 0)
        name = f"lr-{kind.__name__}" if given is None else given
        for ending, group in _groups(optimizer, f"{name}-{number - 1}" if number > 1 else name):
            if group.get("lr") is not None:
                found[ending] = group["lr"]
    return found


def shape(trainer: Any, stepped: Sequence[Any] = ()) -> list[tuple[int, int]]:
    """Return what changes when an optimizer is added, or a group of parameters."""
    return [(id(item), len(item.param_groups)) for item in (*configured(trainer), *stepped)]


def numbered(name: str, place: int) -> str:
    """Return the name for the thing at a place: the first has none of its own."""
    return name if place == 0 else f"{name}_{place}"


def _groups(optimizer: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the groups of parameters with their names below that of the optimizer."""
    groups = optimizer.param_groups
    own = [group.get("name") for group in groups]
    if len(set(own) - {None}) < len(own) - own.count(None):  # two of one name, which LearningRateMonitor refuses
        own = [None] * len(own)
    for place, (group, given) in enumerate(zip(groups, own, strict=True)):
        ending = given or (f"pg{place + 1}" if len(groups) > 1 else None)
        yield f"{name}/{ending}" if ending else name, group


def _settings(optimizer: Any) -> dict[str, Any]:
    """Return the settings of the first group; where there are more, also what differs between them, by group.

    The rate is the one that a scheduler begins with, not where its warm-up or its steps have got to.
    """
    groups, defaults = optimizer.param_groups, defaults_of(type(optimizer))
    told = [_of_group(group) for group in groups]
    found = {"name": type(optimizer).__name__, **marked(told[0], defaults)}
    if len(groups) == 1:
        return found
    differing = [name for name in told[0] if any(name in own and own[name] != told[0][name] for own in told)]
    for (ending, _), own in zip(_groups(optimizer, ""), told, strict=True):
        differs = {name: own[name] for name in differing if name in own}
        key = ending.lstrip("/")
        if differs and key not in (*found, "groups"):
            found[key] = marked(differs, defaults)
    return {**found, "groups": Captured(len(groups))}


def _of_group(group: Mapping[str, Any]) -> dict[str, Any]:
    rate = {"lr": group["initial_lr"]} if "initial_lr" in group else {}
    return {name: value for name, value in {**group, **rate}.items() if name not in FLAGS}
