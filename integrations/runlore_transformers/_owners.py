"""Finds the recorded training that the weights of a model come from, and the run that wrote a loaded model."""

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from runlore import FitSession, Store, guest
from runlore.guest.additions import Additions, KnownWeights, tensors_of
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import ByIdentity
from runlore_transformers._framework import loaded_from, unwrapped
from runlore_transformers._metrics import by_split
from runlore_transformers._weights import holds


class Takes(Protocol):
    """A training that is under way."""

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record numbers that the Trainer logs."""


class Owner:
    """A recorded training that weights come from. It holds no Trainer once the training is over."""

    def __init__(self, session: FitSession, listener: Any, training: Takes) -> None:
        self.session = session
        self.training: Takes | None = training  # None once it is over
        self.weights = KnownWeights(torch.cat, run=session.run)  # those that the training saved, and ended with
        self.is_current = True  # False once the model was trained without being recorded
        self._listener = weakref.ref(listener)  # it may hold the Trainer

    @property
    def listener(self) -> Any:
        """The callback that hears what the Trainer tells."""
        return self._listener()

    def additions(self) -> Additions:
        """Return additions to the run, which are about the weights that the training ended with."""
        return Additions(self.session.run, *self.weights.last)

    def additions_for(self, model: Any) -> Additions | None:
        """Return additions to the run, at the step of a model's weights; None where the training did not make these."""
        place = self.weights.last if self.training is not None else self.weights.place(tensors_of(unwrapped(model)))
        return None if place is None else Additions(self.session.run, *place)

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record numbers that are logged outside of all calls that are recorded."""
        if self.training is not None:  # it is under way in another thread
            self.training.take(logs, state)
            return
        additions = self.additions()
        for split, metrics in by_split(logs).items():
            additions.metrics(metrics, split=split)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The session of an evaluation of a model that no recorded training has made, and the options of its run."""

    session: FitSession
    options: RunOptions
    weights: KnownWeights = field(default_factory=lambda: KnownWeights(torch.cat))  # that were evaluated


class Owners(guest.Part):
    """Holds, by model, where its weights come from, as long as the model lives."""

    inherited = True  # a forked child goes on with the models of its parent

    def __init__(self) -> None:
        self._owners: ByIdentity[Owner] = ByIdentity()  # by model
        self._baselines: ByIdentity[Baseline] = ByIdentity()  # by model
        self._by_state: ByIdentity[Owner] = ByIdentity()  # by TrainerState
        self._folders: ByIdentity[str] = ByIdentity()  # that adapters were loaded from, by model

    def of(self, trainer: Any) -> Owner | None:
        """Return the training that the weights of a Trainer come from, by whatever Trainer, if that was recorded."""
        return self._owners.get(unwrapped(trainer.model))

    def baseline_of(self, trainer: Any, options: RunOptions) -> FitSession | None:
        """Return the session of an earlier evaluation of the same weights in the model, recorded with these options."""
        plain = unwrapped(trainer.model)
        found = self._baselines.get(plain)
        if found is None or found.options != options or found.weights.place(tensors_of(plain)) is None:
            return None
        return found.session

    def with_state(self, state: Any) -> Owner | None:
        """Return the recorded training that has this state."""
        found = self._by_state.get(state)
        return found if found is not None and found.is_current else None

    def set(self, trainer: Any, owner: Owner) -> None:
        """Note the recorded training of a Trainer's model."""
        self._owners.set(unwrapped(trainer.model), owner)

    def set_baseline(self, trainer: Any, baseline: Baseline) -> None:
        """Note the run of an evaluation of a model that no recorded training has made."""
        plain = unwrapped(trainer.model)
        baseline.weights.note(None, None, tensors_of(plain))
        self._baselines.set(plain, baseline)

    def set_state(self, state: Any, owner: Owner) -> None:
        """Note the state of a recorded training: a new one each time it begins."""
        self._by_state.set(state, owner)

    def set_folder(self, model: Any, folder: str) -> None:
        """Note the folder that the adapters of a model were loaded from."""
        self._folders.set(model, folder)

    def folder_of(self, model: Any) -> Path | None:
        """Return the folder that a model, or the adapters on it, were loaded from; None where that is none."""
        path = self._folders.get(unwrapped(model)) or loaded_from(model)
        return Path(path).absolute() if path is not None and Path(path).is_dir() else None

    def pop(self, trainer: Any) -> Owner | None:
        """Return the last training of a Trainer's model, and forget it: its weights are about to change."""
        model = unwrapped(trainer.model)
        self._baselines.pop(model)
        return self._owners.pop(model)

    def discard(self, trainer: Any) -> None:
        """Forget the last training of a model, which is about to be trained without being recorded."""
        owner = self.pop(trainer)
        if owner is not None:
            owner.is_current = False


def maker_of(model: Any, store: Store | None) -> Additions | None:
    """Return additions to the run that made the weights of a model, a copy maybe; None where none is known.

    None as well for weights that the model was loaded with: their file tells more.
    """
    plain = unwrapped(model)
    found = None if plain is None else Additions.to_maker_of(tensors_of(plain), torch.cat, store=store)
    folder = None if found is None else owners().folder_of(model)
    return None if folder is not None and holds(folder, plain) else found


def owners() -> Owners:
    """Return the owners of this process."""
    return guest.part(Owners)


def additions_to_writer(model: Any, store: Store | None) -> Additions | None:
    """Return additions to the run that wrote the weights that a model was loaded with, and has still."""
    folder = owners().folder_of(model)
    if folder is None or not holds(folder, unwrapped(model)):
        return None
    found = (Additions.to_writer_of(place, store) for place in _places(folder))
    return next((additions for additions in found if additions is not None), None)


def link_to_writer(session: FitSession, kind: str, model: Any) -> None:
    """Link to the run that wrote the folder that a model was loaded from, or its weights, if the store knows it."""
    folder = owners().folder_of(model)
    for place in [] if folder is None else _places(folder):
        found = guest.writer_of(session.store, place)
        if found is not None:
            session.link(kind, found.run, found.step, found.sha256)
            return


def _places(folder: Path) -> Iterator[Path]:
    """Yield a folder, and the first file of weights in it: it may be known by either."""
    yield folder
    yield from sorted(folder.glob("*.safetensors"))[:1]
