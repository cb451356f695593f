"""Tell the optimizers of a training, and the learning rates of their groups of parameters."""

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from runlore.guest.captured import Captured, defaults_of, marked
from runlore.guest.wrapping import ByIdentity

FLAGS = ("foreach", "fused", "capturable", "differentiable", "params", "param_names", "initial_lr", "name")
Named = tuple[Any, str | None]  # an optimizer, and the name that the framework has for it
NONE = "_MockOptimizer"  # Lightning's, where a module configures no optimizer


class Stepped:
    """Notices, in the thread that opened it, optimizers that are stepped without the framework's knowledge.

    torch calls it at every step of any optimizer. It keeps none of them alive.
    """

    def __init__(self, known: Sequence[Any] = ()) -> None:
        self._seen: ByIdentity[bool] = ByIdentity()
        self._found: list[weakref.ref[Any]] = []
        self._thread = threading.get_ident()
        self._handle: Any = None
        for item in known:
            self._seen.set(item, True)

    def found(self) -> list[Any]:
        """Return those that were noticed and are there."""
        return [item for reference in self._found if (item := reference()) is not None]

    def open(self) -> None:
        """Begin to notice them."""
        from torch.optim.optimizer import register_optimizer_step_post_hook

        self._handle = register_optimizer_step_post_hook(self._note)

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


class Rates:
    """The learning rates of optimizers, which a training asks for at every step that it logs.

    `find` returns the optimizers, of which none is kept alive. The names of their groups of parameters are made when
    one is new: `named` returns the optimizers with the names that the framework has for them.
    """

    def __init__(self, find: Callable[[], list[Any]], named: Callable[[list[Any]], Iterable[Named]]) -> None:
        self._find = find
        self._named = named
        self._shape: list[tuple[int, int]] = []  # changes when an optimizer is added, or a group of parameters
        self._names: list[list[tuple[int, str]]] = []  # of each optimizer: the places of its groups, and their names

    def now(self, changed: Callable[[list[Any]], None] = lambda found: None) -> dict[str, float]:
        """Return the rate of every group by its name; where one is new, `changed` is called before."""
        found = self._find()
        shape = [(id(item), len(item.param_groups)) for item in found]
        if shape != self._shape:
            self._shape, self._names = shape, _names_of(found, self._named(found))
            changed(found)
        told: dict[str, float] = {}
        for item, names in zip(found, self._names, strict=True):
            groups = item.param_groups
            for place, name in names:
                rate = groups[place].get("lr")
                if rate is not None:
                    told[name] = rate
        return told

    def forget(self) -> None:
        """Take all groups for new ones: their settings have changed."""
        self._shape = []


def configured(trainer: Any) -> list[Any]:
    """Return the optimizers that the module has configured, without what a strategy wraps them in."""
    return [item for held in trainer.optimizers if _is_real(item := getattr(held, "optimizer", held))]


def _is_real(optimizer: Any) -> bool:
    return type(optimizer).__name__ != NONE


def steps_done(trainer: Any) -> int:
    """Return `global_step`; batches where the module configures no optimizer, as Lightning counts no other's steps."""
    steps = trainer.global_step
    if steps or configured(trainer):
        return int(steps)
    return int(trainer.fit_loop.epoch_loop.batch_progress.total.processed)


def optimizers(trainer: Any) -> dict[str, Any]:
    """Return the settings of the optimizers that the module has configured."""
    return settings(configured(trainer))


def settings(found: Sequence[Any]) -> dict[str, Any]:
    """Return the settings of optimizers, by "optimizer", "optimizer_1", …"""
    return {numbered("optimizer", place): _settings(item) for place, item in enumerate(found)}


def named_by(trainer: Any, found: Sequence[Any]) -> list[Named]:
    """Return optimizers with the names that Lightning's LearningRateMonitor has for them: those of their schedulers."""
    scheduled = [(config.scheduler.optimizer, config.name) for config in trainer.lr_scheduler_configs]
    return [*scheduled, *unnamed(item for item in found if all(item is not other for other, _ in scheduled))]


def unnamed(found: Iterable[Any]) -> list[Named]:
    """Return optimizers without names."""
    return [(item, None) for item in found]


def _names_of(found: Sequence[Any], named: Iterable[Named]) -> list[list[tuple[int, str]]]:
    """Return the names of each optimizer's groups; where it has none, its class tells it, and a number from 1 on."""
    names: dict[int, list[tuple[int, str]]] = {id(item): [] for item in found}
    seen: dict[type, int] = {}
    for optimizer, given in named:
        kind = type(optimizer)
        if given is None:
            seen[kind] = seen.get(kind, 0) + 1
        number = seen.get(kind, 0)
        name = f"lr-{kind.__name__}" if given is None else given
        endings = [ending for ending, _ in _groups(optimizer, f"{name}-{number - 1}" if number > 1 else name)]
        names.setdefault(id(optimizer), []).extend(enumerate(endings))
    return [names[id(item)] for item in found]


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
