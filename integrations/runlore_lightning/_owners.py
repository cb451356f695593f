"""Know which run the weights of a trainer and of a module are of, behind the fit that made them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from runlore import FitSession, Store, guest
from runlore.guest.additions import Additions, KnownWeights, Source, tensors_of

StepsByPath = dict[str, tuple[int, int]]  # step and epoch of each checkpoint, by its absolute path


@dataclass(eq=False, slots=True)
class Owner:
    """A recorded fit as it is known after its end: its run, its checkpoints, step and epoch of its weights."""

    session: FitSession
    weights: KnownWeights = field(init=False)
    steps: StepsByPath = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.weights = KnownWeights(torch.cat, run=self.session.run)

    def additions(self) -> Additions:
        """Return additions to the run, at the step of the weights that it ended with."""
        return Additions(self.session.run, *self.weights.last)

    def additions_for(self, module: Any) -> Additions | None:
        """Return additions to the run, at the step of a module's weights; None where the fit did not make these."""
        place = self.weights.place(tensors_of(module))
        return None if place is None else Additions(self.session.run, *place)


class Owners(guest.Part):
    """The last recorded fit of trainers and of modules, and where modules come from, as long as these live."""

    inherited = True

    def __init__(self) -> None:
        self._owners: WeakKeyDictionary[Any, Owner] = WeakKeyDictionary()
        self._baselines: WeakKeyDictionary[Any, tuple[FitSession, KnownWeights]] = WeakKeyDictionary()
        self._loaded: WeakKeyDictionary[Any, tuple[Source, KnownWeights]] = WeakKeyDictionary()

    def of(self, item: Any) -> Owner | None:
        """Return the last recorded fit of a trainer or of a module; None where there was none."""
        return self._owners.get(item)

    def set(self, owner: Owner, trainer: Any, module: Any) -> None:
        """Note whose weights a fit makes: from now on the module is what the fit makes of it."""
        self._owners[trainer] = self._owners[module] = owner
        self._baselines.pop(module, None)
        self._loaded.pop(module, None)

    def baseline_of(self, module: Any) -> FitSession | None:
        """Return the session of the first evaluation of a module that has the same weights since."""
        found, weights = self._baselines.get(module, (None, None))
        return found if weights is not None and _has(module, weights) else None

    def set_baseline(self, module: Any, baseline: FitSession) -> None:
        """Note the session of an evaluation: further ones go to its run until the weights of the module change."""
        self._baselines[module] = baseline, _weights_of(module)

    def file_of(self, module: Any) -> Path | None:
        """Return the checkpoint that a module was loaded from, if neither has changed since."""
        source, weights = self._loaded.get(module, (None, None))
        if source is None or weights is None or not source.is_unchanged:
            return None
        return source.path if _has(module, weights) else None

    def set_file(self, module: Any, path: Any) -> None:
        """Note the local file that a module was loaded from."""
        source = Source.at(path)
        if source is not None:
            self._loaded[module] = source, _weights_of(module)


def _weights_of(module: Any) -> KnownWeights:
    found = KnownWeights(torch.cat)
    found.note(None, None, tensors_of(module))
    return found


def _has(module: Any, weights: KnownWeights) -> bool:
    """Return True if a module has weights that were noted, or ones that can't be told from them."""
    return weights.place(tensors_of(module)) is not None


def maker_of(module: Any, store: Store | None) -> Additions | None:
    """Return additions to the run that made the weights of a module, a copy maybe; None where none is known."""
    return Additions.to_maker_of(tensors_of(module), torch.cat, store=store)


def owners() -> Owners:
    """Return those of this process."""
    return guest.part(Owners)
