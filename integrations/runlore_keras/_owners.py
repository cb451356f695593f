"""Finds the recorded fit, or the file, that the weights of a model come from."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runlore import FitSession, guest
from runlore.guest.wrapping import ByIdentity
from runlore_keras._calls import Fit
from runlore_keras._metrics import steps_of


@dataclass(eq=False, slots=True)
class Owner:
    """A recorded fit that weights come from; it holds no model once the fit is over."""

    session: FitSession
    training: Fit | None  # None once the fit is over
    step: int | None = None  # of the weights, or of the newest epoch
    optimizer_steps: int | None = None  # when the fit ended
    sets: dict[Any, str] = field(default_factory=dict)  # suffixes of metrics' names, by the data evaluated on


@dataclass(frozen=True, slots=True)
class Loaded:
    """The file that a model was last loaded from, and what tells whether either has changed since."""

    path: Path
    extent: tuple[int, int] | None  # size in bytes and time of change in ns; None for a file that is gone
    optimizer_steps: int | None  # at that time


class Owners(guest.Part):
    """Holds, by model, the recorded fit and the file that its weights come from, as long as the model lives."""

    inherited = True  # a forked child goes on with the models of its parent

    def __init__(self) -> None:
        self._owners: ByIdentity[Owner] = ByIdentity()  # by model
        self._trainings: ByIdentity[Fit] = ByIdentity()  # by CallbackList
        self._loaded: ByIdentity[Loaded] = ByIdentity()  # by model

    def last(self, model: Any) -> Owner | None:
        """Return the last fit of a model, if that was recorded; it may be under way."""
        return self._owners.get(model)

    def of(self, model: Any) -> Owner | None:
        """Return the recorded fit that made the weights of a model; None where they were trained on since."""
        found = self._owners.get(model)
        is_stale = found is not None and found.training is None and not _is_at(model, found.optimizer_steps)
        return None if is_stale else found

    def set(self, model: Any, owner: Owner) -> None:
        """Note the recorded fit that trains a model from now on."""
        self._owners.set(model, owner)

    def discard(self, model: Any) -> None:
        """Forget where the weights of a model come from: they are about to change."""
        self._owners.pop(model)
        self._loaded.pop(model)

    def set_training(self, callbacks: Any, training: Fit) -> None:
        """Note the recorded fit of a CallbackList."""
        self._trainings.set(callbacks, training)

    def pop_training(self, callbacks: Any) -> Fit | None:
        """Return the recorded fit of a CallbackList, and forget it."""
        return self._trainings.pop(callbacks)

    def set_file(self, model: Any, path: Path) -> None:
        """Note the file that a model, or its weights, were loaded from."""
        self._loaded.set(model, Loaded(path, _extent(path), steps_of(model)))

    def discard_file(self, model: Any) -> None:
        """Forget the file that a model was loaded from: an epoch has changed the weights."""
        self._loaded.pop(model)

    def was_loaded(self, model: Any) -> bool:
        """Return True if the weights are those of a file, which may be gone by now."""
        return self._loaded.get(model) is not None

    def file_of(self, model: Any) -> Path | None:
        """Return the file that a model was loaded from, if neither has changed since."""
        found = self._loaded.get(model)
        if found is None or _extent(found.path) != found.extent or not _is_at(model, found.optimizer_steps):
            return None
        return found.path


def owners() -> Owners:
    """Return the owners of this process."""
    return guest.part(Owners)


@guest.harmless
def note_loaded(model: Any, path: Any) -> None:
    """Note a local file that a model, or its weights, were loaded from."""
    if isinstance(path, str | os.PathLike) and "://" not in str(path):
        place = Path(os.path.abspath(path))  # noqa: PTH100  # unlike resolve() it leaves links alone
        owners().set_file(model, place)


def _is_at(model: Any, steps: int | None) -> bool:
    """Return True if a model's optimizer has made as many steps, or is a new one that has made none."""
    return steps_of(model) in (steps, None, 0)


def _extent(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
