"""Finds the recorded training that the weights of a Trainer come from, and the run that wrote a loaded model."""

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from runlore import FitSession, guest
from runlore.guest.additions import Additions, Sets
from runlore.guest.wrapping import ByIdentity
from runlore_transformers._data import identity_of, record_data
from runlore_transformers._framework import loaded_from
from runlore_transformers._metrics import by_split


class Takes(Protocol):
    """A training that is under way."""

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record numbers that the Trainer logs."""


class Owner:
    """A recorded training that weights come from. It holds no Trainer once the training is over."""

    def __init__(self, session: FitSession, listener: Any, training: Takes) -> None:
        self.session = session
        self.training: Takes | None = training  # None once it is over
        self.step: int | None = None  # of the weights that the training ended with
        self.is_current = True  # False once the Trainer was trained without being recorded
        self._listener = weakref.ref(listener)  # it may hold the Trainer
        self._sets = Sets()  # that were evaluated after the training

    @property
    def listener(self) -> Any:
        """The callback that hears what the Trainer tells."""
        return self._listener()

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record numbers that are logged outside of all calls that are recorded."""
        if self.training is not None:  # it is under way in another thread
            self.training.take(logs, state)
        else:
            self.add(by_split(logs), state)

    def add(
        self, found: Mapping[str, Mapping[str, Any]], state: Any, *, usual: Any = None, dataset: Any = None
    ) -> None:
        """Add metrics by split that were measured after the training.

        A `dataset` other than the Trainer's `usual` one has names of its own: a text is one of several sets, by name.
        """
        additions = Additions(self.session.run)
        for split, metrics in found.items():
            if split == "eval" and usual is not None:
                self._sets.suffix(split, "usual")  # it keeps the plain names, as in the training
            if isinstance(dataset, str):
                suffix = f"/{dataset}"
            else:
                identity = "usual" if dataset is None or dataset is usual else identity_of(dataset)
                suffix = self._sets.suffix(split, identity)
            named = {f"{name}{suffix}": value for name, value in metrics.items()}
            additions.metrics(named, step=self.step, epoch=state.epoch, split=split)
            if dataset is not None and not isinstance(dataset, str):
                record_data(additions, f"{split}{suffix}", dataset)


class Owners(guest.Part):
    """Holds, by Trainer, the recorded training that its weights come from, as long as the Trainer lives."""

    inherited = True  # a forked child goes on with the Trainers of its parent

    def __init__(self) -> None:
        self._owners: ByIdentity[Owner] = ByIdentity()  # by Trainer
        self._by_state: ByIdentity[Owner] = ByIdentity()  # by TrainerState

    def of(self, trainer: Any) -> Owner | None:
        """Return the last training of a Trainer, if that was recorded."""
        return self._owners.get(trainer)

    def with_state(self, state: Any) -> Owner | None:
        """Return the recorded training that has this state."""
        found = self._by_state.get(state)
        return found if found is not None and found.is_current else None

    def set(self, trainer: Any, owner: Owner) -> None:
        """Note the recorded training of a Trainer."""
        self._owners.set(trainer, owner)

    def set_state(self, state: Any, owner: Owner) -> None:
        """Note the state of a recorded training: a new one each time it begins."""
        self._by_state.set(state, owner)

    def pop(self, trainer: Any) -> Owner | None:
        """Return the last training of a Trainer, and forget it: its weights are about to change."""
        return self._owners.pop(trainer)

    def discard(self, trainer: Any) -> None:
        """Forget the last training of a Trainer, which is about to be trained without being recorded."""
        owner = self._owners.pop(trainer)
        if owner is not None:
            owner.is_current = False


def owners() -> Owners:
    """Return the owners of this process."""
    return guest.part(Owners)


def link_to_writer(session: FitSession, kind: str, model: Any) -> None:
    """Link to the run that wrote the folder that a model was loaded from, or its weights, if the store knows it."""
    path = loaded_from(model)
    if path is None or not Path(path).is_dir():
        return
    folder = Path(path).absolute()
    for place in (folder, *sorted(folder.glob("*.safetensors"))[:1]):
        found = guest.writer_of(session.store, place)
        if found is not None:
            session.link(kind, *found)
            return
