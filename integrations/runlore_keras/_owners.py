"""Finds the recorded fit, or the file, that the weights of a model come from."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from runlore import FitSession, Store, guest
from runlore.guest.additions import Additions, Join, KnownWeights, Place, Source, Tensors
from runlore.guest.opening import Opened
from runlore.guest.wrapping import ByIdentity
from runlore_keras._calls import Evaluated, Fit
from runlore_keras._metrics import steps_of

MAX_WAITING = 20  # evaluations of one model

Sets = dict[tuple[object, ...], tuple[str, str]]  # stages and endings of data, by what identifies its parts


@dataclass(eq=False, slots=True)
class Owner:
    """A recorded fit that weights come from; it holds no model once the fit is over."""

    session: FitSession
    training: Fit | None  # None once the fit is over
    step: int | None = None  # of the weights, or of the newest epoch
    epoch: float | None = None  # likewise
    optimizer_steps: int | None = None  # when the fit ended
    weights: KnownWeights = field(init=False)  # then

    def __post_init__(self) -> None:
        self.weights = KnownWeights(_join(), run=self.session.run)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The file that a model was last loaded from, and the steps of the model's optimizer at that time."""

    source: Source
    optimizer_steps: int | None
    weights: KnownWeights


@dataclass(eq=False, slots=True)
class Waiting:
    """Evaluations of a model that no run has made, the steps of its optimizer then, and the weights."""

    optimizer_steps: int | None
    weights: KnownWeights
    evaluations: list[Evaluated] = field(default_factory=list)
    visited: Opened | None = None  # the run that has them already, as the user has one open


class Owners(guest.Part):
    """Holds, by model, the recorded fit and the file that its weights come from, as long as the model lives."""

    inherited = True  # a forked child goes on with the models of its parent

    def __init__(self) -> None:
        self._owners: ByIdentity[Owner] = ByIdentity()  # by model
        self._trainings: ByIdentity[Fit] = ByIdentity()  # by CallbackList
        self._loaded: ByIdentity[Loaded] = ByIdentity()  # by model
        self._waiting: ByIdentity[Waiting] = ByIdentity()  # by model
        self._sets: ByIdentity[Sets] = ByIdentity()  # that were evaluated in a fit, by session

    def last(self, model: Any) -> Owner | None:
        """Return the last fit of a model, if that was recorded; it may be under way."""
        return self._owners.get(model)

    def place_of(self, model: Any) -> Place | None:
        """Return step and epoch of weights that a model's last fit has made; None where others have made them since."""
        found = self._owners.get(model)
        if found is None or found.training is not None:
            return None if found is None or found.training is None else found.training.place()
        return found.weights.place(weights_in(model)) if _is_at(model, found.optimizer_steps) else None

    def set(self, model: Any, owner: Owner) -> None:
        """Note the recorded fit that trains a model from now on."""
        self._owners.set(model, owner)

    def discard(self, model: Any) -> None:
        """Forget where the weights of a model come from: they are about to change."""
        self._owners.pop(model)
        self._loaded.pop(model)
        self._waiting.pop(model)

    def wait(self, model: Any, evaluation: Evaluated) -> Waiting:
        """Hold an evaluation of a model that no run has made, for the run of its next fit."""
        found = self._waiting.get(model)
        if found is None:
            found = Waiting(steps_of(model), KnownWeights(_join()))
            found.weights.note(None, None, weights_in(model))
            self._waiting.set(model, found)
        found.evaluations.append(evaluation)
        return found

    def has_room(self, model: Any) -> bool:
        """Return True if another evaluation of a model can wait; those of earlier weights are forgotten for it."""
        found = self._waiting.get(model)
        if found is not None and (found.optimizer_steps != steps_of(model) or not _has(model, found.weights)):
            self._waiting.pop(model)
            return True
        return found is None or len(found.evaluations) < MAX_WAITING

    def pop_waiting(self, model: Any) -> Waiting | None:
        """Return the evaluations of the weights that a model has, and forget them; the fit of it begins."""
        found = self._waiting.pop(model)
        is_same = found is not None and _is_at(model, found.optimizer_steps) and _has(model, found.weights)
        return found if is_same else None

    def sets_in(self, session: FitSession) -> Sets:
        """Return the sets that were evaluated in a fit so far, to be added to."""
        found = self._sets.get(session)
        if found is None:
            self._sets.set(session, found := {})
        return found

    def set_training(self, callbacks: Any, training: Fit) -> None:
        """Note the recorded fit of a CallbackList."""
        self._trainings.set(callbacks, training)

    def is_recorded(self, callbacks: Any) -> bool:
        """Return True for the CallbackList of a recorded fit that is under way."""
        return self._trainings.get(callbacks) is not None

    def pop_training(self, callbacks: Any) -> Fit | None:
        """Return the recorded fit of a CallbackList, and forget it."""
        return self._trainings.pop(callbacks)

    def set_source(self, model: Any, source: Source) -> None:
        """Note the file that a model, or its weights, were loaded from."""
        weights = KnownWeights(_join())
        weights.note(None, None, weights_in(model))
        self._loaded.set(model, Loaded(source, steps_of(model), weights))
        self._waiting.pop(model)
        owner = self._owners.get(model)
        if owner is not None and owner.training is not None:
            owner.training.restored(path=str(source.path))

    def discard_file(self, model: Any) -> None:
        """Forget the file that a model was loaded from: an epoch has changed the weights."""
        self._loaded.pop(model)

    def was_loaded(self, model: Any) -> bool:
        """Return True if the weights are those of a file, which may be gone by now."""
        return self._loaded.get(model) is not None

    def file_of(self, model: Any) -> Path | None:
        """Return the file that a model was loaded from, if neither has changed since."""
        found = self._loaded.get(model)
        if found is None or not found.source.is_unchanged or not _is_at(model, found.optimizer_steps):
            return None
        return found.source.path if _has(model, found.weights) else None


def additions_of(model: Any) -> Additions | None:
    """Return additions to the run that the weights of a model come from, at their step; None where none made them."""
    known = owners()
    path, owner = known.file_of(model), known.last(model)
    place = None if owner is None or known.was_loaded(model) else known.place_of(model)
    if owner is None or place is None:
        return (None if path is None else Additions.to_writer_of(path)) or maker_of(model)
    return Additions(owner.session.run, *place)


def maker_of(model: Any, store: Store | None = None) -> Additions | None:
    """Return additions to the run that made the weights of a model, a copy maybe; None where none is known."""
    return Additions.to_maker_of(weights_in(model), _join(), store=store)


def owners() -> Owners:
    """Return the owners of this process."""
    return guest.part(Owners)


@guest.harmless
def note_loaded(model: Any, path: Any) -> None:
    """Note a local file that a model, or its weights, were loaded from."""
    source = Source.at(path)
    if source is not None:
        owners().set_source(model, source)


@guest.harmless
def note_kept(model: Any, copies: list[Any]) -> None:
    """Note the weights that somebody has asked for within a fit, to set them again later maybe."""
    owner = owners().last(model)
    if owner is not None and owner.training is not None:
        owner.weights.note(*owner.training.place(), weights_in(model, copies))


@guest.harmless
def note_set(model: Any) -> None:
    """Note within a fit that weights were set, if they are those of an earlier moment."""
    owner = owners().last(model)
    if owner is not None and owner.training is not None:
        owner.training.restored(at=owner.weights.known(weights_in(model)))


def weights_in(model: Any, copies: list[Any] | None = None) -> Tensors:
    """Return what gives the weights of a model to the core: with torch where they lie, else as copies.

    jax would compile the reading of a part for each shape. `copies` are some that there are already.
    """

    def flat(weight: Any) -> Any:
        return keras.ops.reshape(weight, (-1,)) if is_torch() else keras.ops.convert_to_numpy(weight).reshape(-1)

    def tensors() -> list[Any]:
        found = model.weights if copies is None or is_torch() else copies
        return [flat(weight) for weight in found if math.prod(weight.shape)]

    return tensors


def _has(model: Any, weights: KnownWeights) -> bool:
    """Return True if a model has weights that were noted, or ones that can't be told from them."""
    return weights.place(weights_in(model)) is not None


def _join() -> Join | None:
    """Return what reads weights from a device at once."""
    return (lambda some: keras.ops.convert_to_numpy(keras.ops.concatenate(some))) if is_torch() else None


def is_torch() -> bool:
    """Return True where weights are tensors of torch."""
    return bool(keras.config.backend() == "torch")


def _is_at(model: Any, steps: int | None) -> bool:
    """Return True if a model's optimizer has made as many steps, or is a new one that has made none."""
    return steps_of(model) in (steps, None, 0)
