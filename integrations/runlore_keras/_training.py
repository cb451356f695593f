"""One fit of a model: from its `on_train_begin` until the call of `fit` is over."""

import weakref
from collections.abc import Mapping
from typing import Any

import keras

from runlore import FitSession, guest
from runlore.guest.options import RunOptions
from runlore_keras import _params
from runlore_keras._calls import FitCall
from runlore_keras._checkpoints import roles_and_score
from runlore_keras._data import data_in, record_data
from runlore_keras._framework import NAME, leads
from runlore_keras._metrics import by_split, rate_of, steps_of
from runlore_keras._owners import Owner, owners


class Listener(keras.callbacks.Callback):
    """Hears of the epochs of one fit.

    It is the first in the list of callbacks while the fit lasts, so that an epoch is on disk before others save it.
    """

    def __init__(self, training: "Training") -> None:
        super().__init__()
        self._training = training

    @guest.harmless
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin an epoch; all callbacks are done with the one before."""
        self._training.begin_epoch(epoch)

    @guest.harmless
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the numbers that Keras gives to its own History; they have been read from the device already."""
        self._training.take(epoch, logs or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return keras.callbacks.Callback, ()  # a copy belongs to no fit that is under way


class Training:
    """Records one fit, into a session that the caller has begun; its owner stays known once the fit is over."""

    def __init__(self, session: FitSession, model: Any, callbacks: Any, arguments: Mapping[str, Any]) -> None:
        params = callbacks.params or {}
        self.session = session
        self._owner = Owner(session, self)
        self._model = model
        self._callbacks: list[Any] = callbacks.callbacks  # this list does not keep the CallbackList alive
        self._listener = Listener(self)
        self._epoch: int | None = arguments.get("initial_epoch")
        self._epochs: int | None = params.get("epochs")
        self._batches: int | None = params.get("steps")  # of an epoch
        self._steps_before: int | None = None  # of the optimizer, when the fit began
        self._counts_batches: bool | None = None  # True: the optimizer makes no steps; None: not known yet
        self._logs: Mapping[str, Any] = {}  # of the newest epoch; callbacks after ours may change it
        self._taken: Mapping[str, Any] = {}  # the numbers of that epoch that are recorded
        self._parts = _params.PARTS  # those that are still to be asked

    @classmethod
    def begin(cls, model: Any, callbacks: Any, options: RunOptions, call: FitCall | None) -> None:
        """Begin to record a fit, if anything is to be recorded; `call` is None in a loop of the user's own."""
        known = owners()
        before, origin = known.last(model), known.file_of(model)
        known.discard(model)
        session = FitSession.begin(
            NAME,
            options.request(
                tags={"model": type(model).__name__},
                resume_from=origin,
                after=None if before is None else before.session.run,
                leader=leads(),
            ),
        )
        if not session:
            return
        arguments = {} if call is None else call.arguments
        training = cls(session, model, callbacks, arguments)
        try:
            training._describe(callbacks, arguments)
            known.set(model, training._owner)
            known.set_training(callbacks, training)
            callbacks.callbacks.insert(0, training._listener)
            if call is not None:
                call.trainings.append(training)
            else:
                training._watch(callbacks)
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise

    def _describe(self, callbacks: Any, arguments: Mapping[str, Any]) -> None:
        session = self.session
        session.record(lambda _: self._note_steps_before())
        session.params(lambda: _params.fit(arguments, callbacks.params))
        self._record_parts()
        session.params(lambda: _params.callbacks(self._callbacks))
        for name, data in data_in(arguments):
            session.record(lambda session, name=name, data=data: record_data(session, name, data))  # type: ignore[misc]

    def _note_steps_before(self) -> None:
        self._steps_before = steps_of(self._model)

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
        self._record_rest()
        self._epoch = epoch

    def take(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Record the numbers of an epoch, and the learning rate beside them."""
        if self._parts:
            self._record_parts()
        owners().discard_file(self._model)
        self._epoch = epoch
        self._owner.step = None  # the run counts on where the optimizer can't be asked
        self.session.record(lambda _: self._note_step(epoch))
        self._logs, self._taken = logs, dict(logs)
        self._record(logs)
        if "learning_rate" not in logs:
            self.session.record(lambda _: self._record_rate())

    def _record_rate(self) -> None:
        rate = rate_of(getattr(self._model, "optimizer", None))
        if rate is not None:
            self._taken = {"learning_rate": rate, **self._taken}
            self._record({"learning_rate": rate})

    def _record_rest(self) -> None:
        """Record numbers of the epoch that callbacks after ours have added or changed, as Keras's History does."""
        logs, self._logs = self._logs, {}
        rest = {name: value for name, value in logs.items() if not _is_same(value, self._taken.get(name))}
        self._record(rest)

    def _record(self, logs: Mapping[str, Any]) -> None:
        for split, metrics in by_split(logs).items():
            self.session.metrics(metrics, step=self._owner.step, epoch=self._epoch, split=split)

    def _note_step(self, epoch: int) -> None:
        """Note the optimizer's step; where a model steps other optimizers, batches of whole epochs are counted."""
        steps = steps_of(self._model)
        if self._counts_batches is None:
            self._counts_batches = steps is None or steps == self._steps_before
        self._owner.step = (epoch + 1) * (self._batches or 1) if self._counts_batches or steps is None else steps

    def saved(self, model: Any, path: str) -> None:
        """Record a checkpoint: of the model that is fitted, or of another one, such as a part of it."""
        step = self._owner.step if self._counts_batches else steps_of(self._model)
        if model is self._model:
            roles, monitor, value = roles_and_score(path, self._callbacks)
        else:
            roles, monitor, value = (), None, None
        self.session.checkpoint(path, step=step, epoch=self._epoch, monitor=monitor, value=value, roles=roles)

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
        self._record_rest()
        owner = self._owner
        owner.optimizer_steps = steps_of(model)
        if owner.step is None:
            owner.step = owner.optimizer_steps
        why = _why_stopped(model, callbacks, self._epoch, self._epochs)
        if why is not None:
            self.session.run.set_tags({"stopped": why})


def _is_same(value: Any, other: Any) -> bool:
    return value is other or (isinstance(value, float) and isinstance(other, float) and value == other)


def _why_stopped(model: Any, callbacks: list[Any], epoch: int | None, epochs: int | None) -> str | None:
    """Return why a fit stopped after `epoch`, before the last of its `epochs`; None where it did not."""
    rest = 0 if epochs is None or epoch is None else epochs - epoch - 1
    if rest <= 0 or not getattr(model, "stop_training", False):
        return None
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.EarlyStopping) and callback.stopped_epoch:
            return f"epoch {callback.stopped_epoch}: {callback.monitor} did not improve for {callback.patience} epochs"
    return f"epoch {epoch}: stop_training was set, with {rest} epochs to go"
