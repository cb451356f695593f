"""One fit of a model: from its `on_train_begin` until the call of `fit` is over."""

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runlore import FitSession, guest
from runlore.guest.additions import Place
from runlore.guest.opening import Opened
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import token_of
from runlore_keras import _params
from runlore_keras._callback import Listener
from runlore_keras._calls import FitCall
from runlore_keras._checkpoints import absolute, roles_and_score
from runlore_keras._data import record_data_of
from runlore_keras._endings import Ending
from runlore_keras._framework import NAME, leads
from runlore_keras._metrics import Epochs, steps_of
from runlore_keras._optimizers import Optimizers
from runlore_keras._owners import Owner, is_torch, maker_of, owners, weights_in


class Training:
    """Records one fit, into a session that the caller has begun; its owner stays known once the fit is over."""

    def __init__(self, session: FitSession, model: Any, callbacks: Any, call: FitCall | None) -> None:
        params = callbacks.params or {}
        self.session = session
        self._owner = Owner(session, self)
        self._model = model
        self._callbacks: list[Any] = callbacks.callbacks  # this list does not keep the CallbackList alive
        self._listener = Listener(self.begin_epoch, self.take)
        self._is_looped = call is None  # by the user
        self._optimizers: Optimizers | None = None  # None where they can't be asked
        self._numbers = Epochs(session)
        self._epoch: int | None = None if call is None else call.arguments.get("initial_epoch")
        self._epochs: int | None = params.get("epochs")
        self._batches: int | None = params.get("steps")  # of an epoch
        self._steps_before: int | None = None  # of the optimizer, when the fit began
        self._counts_batches: bool | None = None  # True: the optimizer makes no steps; None: not known yet
        self._steps: dict[int, int | None] = {}  # by epoch, at its end
        self._files: dict[str, Place] = {}  # step and epoch of the files written in this fit
        self._is_restored = False  # the weights are those of an earlier epoch, which the owner names
        self._parts = _params.PARTS  # those that are still to be asked

    @classmethod
    def begin(cls, model: Any, callbacks: Any, options: RunOptions, call: FitCall | None) -> bool:
        """Begin to record a fit, and return True, if it is to be recorded; `call` is None in a loop of the user's."""
        known = owners()
        before, origin, waiting = known.last(model), known.file_of(model), known.pop_waiting(model)
        known.discard(model)
        visited = None if waiting is None else waiting.visited
        session = FitSession.begin(NAME, _request(model, options, before, origin, visited))
        if not session:
            return False
        training = cls(session, model, callbacks, call)
        session.trains, session.place = token_of(model), training.place
        try:
            training._describe(callbacks, {} if call is None else call.arguments)
            step = training._steps_before or 0
            epoch = None if step else 0.0
            has_them = visited is not None and visited.run.id == session.run.id
            for item in () if waiting is None or has_them else waiting.evaluations:
                session.record(lambda session, item=item: item.add_to(session, step, epoch))  # type: ignore[misc]
            known.set(model, training._owner)
            known.set_training(callbacks, training)
            callbacks.callbacks.insert(0, training._listener)
            if call is not None:
                call.trainings.append(training)
            if call is None or call.is_late:
                training._watch(callbacks)
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise
        return True

    def _describe(self, callbacks: Any, arguments: Mapping[str, Any]) -> None:
        session = self.session
        session.record(lambda _: self._note_steps_before())
        session.params(lambda: _params.fit(arguments, callbacks.params))
        session.params(self._optimizer_params)
        self._record_parts()
        session.params(lambda: _params.callbacks(self._callbacks))
        session.record(lambda session: record_data_of(session, arguments))

    def _note_steps_before(self) -> None:
        self._steps_before = steps_of(self._model)

    def _optimizer_params(self) -> dict[str, Any]:
        self._optimizers = Optimizers(self._model, is_looped=self._is_looped)
        return self._optimizers.params(self._model)

    def _record_parts(self) -> None:
        """Record the params of the model; one that gets its shape from its first batch has some of them later."""
        model = self._model
        built = getattr(model, "built", True)
        for part in self._parts:  # one that can't be asked costs only itself
            if built or part not in _params.OF_BUILT:
                self.session.params(lambda part=part: part(model))  # type: ignore[misc]
        self._parts = () if built else _params.OF_BUILT

    def _watch(self, callbacks: Any) -> None:
        """End the fit when its list of callbacks is freed: nothing tells if an exception leaves a loop of the user's.

        That may be never, so other fits that begin meanwhile are runs of their own.
        """
        left = weakref.finalize(callbacks, self.end, None, left=True)
        left.atexit = False  # the core ends the runs that are open then
        self.session.pause(returned=False)

    def begin_epoch(self, epoch: int) -> None:
        """Begin an epoch; the one before is complete now."""
        self._numbers.write_new()
        self._epoch = epoch

    def take(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Record the numbers of an epoch, and the learning rates beside them."""
        if self._parts:
            self._record_parts()
        owners().discard_file(self._model)
        self._epoch = epoch
        self._is_restored = False
        self._owner.step, self._owner.epoch = None, epoch  # the run counts on where the optimizer can't be asked
        self.session.record(lambda _: self._note_step(epoch))
        self._numbers.take(logs, self._owner.step, epoch)
        self.session.record(lambda _: self._record_optimizers())

    def _record_optimizers(self) -> None:
        if self._optimizers is not None:
            new = self._optimizers.params_of_new(self._model)
            if new:
                self.session.params(new)
            self._numbers.add(self._optimizers.rates(self._model))

    def _note_step(self, epoch: int) -> None:
        """Note the optimizer's step; where a model steps other optimizers, batches of whole epochs are counted."""
        steps = steps_of(self._model)
        if self._counts_batches is None:
            self._counts_batches = steps is None or steps == self._steps_before
        step = (epoch + 1) * (self._batches or 1) if self._counts_batches or steps is None else steps
        self._steps[epoch] = self._owner.step = step
        if is_torch():  # where a look at weights copies none
            self._owner.weights.note(step, epoch, weights_in(self._model))

    def place(self) -> Place:
        """Return step and epoch of the weights that the model has now."""
        step = self._owner.step if self._counts_batches or self._is_restored else steps_of(self._model)
        return step, self._owner.epoch if self._is_restored else self._epoch

    def saved(self, model: Any, path: str) -> None:
        """Record a checkpoint: of the model that is fitted, or of another one, such as a part of it."""
        step, epoch = self.place()
        is_ours = model is self._model
        if is_ours:
            self._files[absolute(path)] = step, epoch
        roles, monitor, value = roles_and_score(path, self._callbacks) if is_ours else ((), None, None)
        self.session.checkpoint(path, step=step, epoch=epoch, monitor=monitor, value=value, roles=roles)

    def restored(self, *, epoch: int | None = None, path: str | None = None, at: Place | None = None) -> None:
        """Note that the model has the weights of an earlier epoch or place again, or those of a file of this fit."""
        place = at or ((self._steps.get(epoch), epoch) if epoch is not None else self._files.get(path or ""))
        if place is not None:
            self._owner.step, self._owner.epoch = place
            self._is_restored = True

    def end(self, error: BaseException | None, *, left: bool = False) -> None:
        """End the run. A fit is `left` by an exception that runlore does not see; a second call does nothing."""
        if self._owner.training is None:
            return
        self._owner.training = None
        model, callbacks, listener = self._model, self._callbacks, self._listener
        try:
            self.session.record(lambda _: self._conclude(model, callbacks))
        finally:  # also when Ctrl-C comes meanwhile
            self._model, self._callbacks, self._listener = None, [], None  # type: ignore[assignment]
            callbacks[:] = [item for item in callbacks if item is not listener]
            if left:
                error = RuntimeError("the fit was left by an exception that runlore was not told of")
            self.session.end(error)

    def _conclude(self, model: Any, callbacks: list[Any]) -> None:
        self._numbers.write_new()
        owner = self._owner
        if not self._is_restored:  # by a call that was seen
            self.restored(at=owner.weights.known(weights_in(model)))
        place = self.place()
        self.session.place = lambda: place  # also when the model is let go
        owner.optimizer_steps = steps_of(model)
        if owner.step is None and not self._is_restored:
            owner.step = owner.optimizer_steps
        owner.weights.note(owner.step, owner.epoch, weights_in(model))
        if getattr(model, "stop_training", False):
            step = owner.optimizer_steps if not self._counts_batches else self._steps.get(self._epoch or 0)
            epochs = None if self._epochs is None or self._epoch is None else self._epochs - self._epoch - 1
            reason = Ending(callbacks, self._numbers.logs, epochs, self._batches_left_out(model)).reason()
            if reason is not None:
                self.session.stopped(reason, step=step, epoch=self._epoch)

    def _batches_left_out(self, model: Any) -> int | None:
        """Return how many batches of the newest epoch were left out; None where the optimizer doesn't tell."""
        steps, epoch = steps_of(model), self._epoch
        if steps is None or epoch is None or self._batches is None or self._counts_batches is not False:
            return None
        if getattr(model.optimizer, "gradient_accumulation_steps", None):
            return None
        return self._batches - (steps - (self._steps.get(epoch - 1, self._steps_before) or 0))


def _request(
    model: Any, options: RunOptions, before: Owner | None, origin: Path | None, visited: Opened | None = None
) -> guest.FitRequest:
    """Return what a fit asks for: `before` is the one before, `origin` the file that the model was loaded from."""
    return options.request(
        tags={"model": type(model).__name__},
        resume_from=origin,
        after=None if before is None else before.session.run,
        copy_of=maker_of(model, options.store),
        continues=visited.run if visited is not None and visited.owned else None,
        leader=leads(),
    )


def record_failed(call: FitCall, options: RunOptions, error: BaseException) -> None:
    """Record a fit that failed before its first hook: of a model that was not compiled, or on data that doesn't fit."""
    model, before = call.model, owners().last(call.model)
    request = _request(model, options, before, owners().file_of(model))
    session = FitSession.begin(NAME, request, params=lambda: _params.fit(call.arguments, None))
    try:
        session.params(lambda: Optimizers(model, is_looped=False).params(model))
        for part in _params.PARTS:
            if getattr(model, "built", True) or part not in _params.OF_BUILT:
                session.params(lambda part=part: part(model))  # type: ignore[misc]
        session.record(lambda session: record_data_of(session, call.arguments))
    finally:
        session.end(error)
