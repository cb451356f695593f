"""Fits that are a part of another framework's, as in a pipeline: their numbers and files go to the run of that."""

from collections.abc import Mapping
from typing import Any

import keras

from runlore import FitSession, guest
from runlore.guest.additions import Place
from runlore.guest.wrapping import ByIdentity, token_of
from runlore_keras._calls import FitCall
from runlore_keras._checkpoints import RolesAndScore, roles_and_score
from runlore_keras._framework import NAME
from runlore_keras._metrics import Epochs, steps_of
from runlore_keras._optimizers import Optimizers

MAX_PARTS = 20  # models in one fit whose numbers are recorded


class Parts(guest.Part):
    """Counts the models that are fitted in the fits of other frameworks, as long as these last."""

    inherited = True

    def __init__(self) -> None:
        self._tokens: ByIdentity[list[object]] = ByIdentity()  # of models, by session

    def ending(self, session: FitSession, model: Any) -> str | None:
        """Return what the names of a model's metrics end in; None for one too many, which is noted in the run."""
        tokens, token = self._tokens.get(session) or [], token_of(model)
        if token not in tokens:
            tokens.append(token)
            self._tokens.set(session, tokens)
        place = tokens.index(token) + 1
        if place == MAX_PARTS + 1 and token is tokens[-1]:
            session.missing("curves of Keras's models", f"more than {MAX_PARTS} were fitted in one fit")
        return None if place > MAX_PARTS else "" if place == 1 else f"/fit_{place}"


class Part(keras.callbacks.Callback):
    """Records the numbers of one fit into the run of the fit that it is a part of. It is the first of the callbacks."""

    def __init__(self, session: FitSession, model: Any, callbacks: Any, ending: str) -> None:
        super().__init__()
        self._session = session
        self._optimizers = Optimizers(model, is_looped=False)
        self._numbers = Epochs(session, ending)
        self._ending = ending
        self._epoch = 0
        self._callbacks: list[Any] = callbacks.callbacks

    @guest.harmless
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Complete the numbers of the epoch before: all callbacks are done with it."""
        self._numbers.write_new()
        self._epoch = epoch

    @guest.harmless
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the numbers of an epoch."""
        self._session.record(lambda _: self._take(epoch, logs or {}))

    def _take(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self._epoch = epoch
        self._numbers.take(logs, self.place()[0], epoch)
        self._optimizers.params_of_new(self.model)
        self._numbers.add(self._optimizers.rates(self.model))

    def end(self, error: BaseException | None) -> None:
        """End the record: the call has returned, or raised `error`."""
        self._numbers.write_new()
        self._callbacks[:] = [item for item in self._callbacks if item is not self]

    def place(self) -> Place:
        """Return step and epoch of the weights that the model has now."""
        return steps_of(self.model) or self._epoch + 1, self._epoch

    def saved(self, model: Any, path: str) -> None:
        """Record a checkpoint; the roles of all models but the first end in their number."""
        step, epoch = self.place()
        found: RolesAndScore = roles_and_score(path, self._callbacks) if model is self.model else ((), None, None)
        roles, monitor, value = found
        own = tuple(f"{role}{self._ending.replace('/', '_')}" for role in roles)
        self._session.checkpoint(path, step=step, epoch=epoch, monitor=monitor, value=value, roles=own)

    def restored(self, *, epoch: int | None = None, path: str | None = None, at: Place | None = None) -> None:
        """Leave the weights to the framework whose fit it is."""

    def __reduce__(self) -> tuple[Any, ...]:
        return keras.callbacks.Callback, ()  # a copy belongs to no fit that is under way


def record_part(model: Any, callbacks: Any, call: FitCall | None) -> None:
    """Record the numbers of a fit that begins, if it is a part of a recorded fit of another framework."""
    session = guest.current()
    if session is None or not session or session.integration == NAME or call is None:
        return
    ending = guest.part(Parts).ending(session, model)
    if ending is not None:
        part = Part(session, model, callbacks, ending)
        part.set_model(model)
        callbacks.callbacks.insert(0, part)
        call.trainings.append(part)
