"""One fit of a model, from the moment that its callbacks know of it until Keras is through with them."""

import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import ByIdentity
from runlore_keras import _data, _files, _params
from runlore_keras._variables import rate_of, steps_of
from runlore_keras.plugin import NAME

KEPT_MODEL = 100 << 20  # bytes of a model saved behind its fit that are kept


@dataclass(eq=False)
class Call:
    """One call of `fit`: its arguments by name, and what is recorded of it."""

    model: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)
    recordings: list["Recording"] = field(default_factory=list)

    def end(self, error: BaseException | None) -> None:
        """It returned, or raised."""
        while self.recordings:
            self.recordings.pop().end(error)


@dataclass(frozen=True)
class Loaded:
    """What a model was loaded from last. `steps` is what its optimizer said then."""

    path: Path
    state: tuple[int, int] | None
    steps: int | None


_last: "ByIdentity[Recording]" = ByIdentity()  # by model, until it is trained otherwise
_loaded: ByIdentity[Loaded] = ByIdentity()  # by model, since its last epoch
_fits: "ByIdentity[Recording]" = ByIdentity()  # by the list of callbacks that is told of it


class Listener(keras.callbacks.Callback):
    """Hears of the epochs of one fit: the first in its list while it lasts, so that an epoch is on disk before others
    save it.
    """

    def __init__(self, recording: "Recording") -> None:
        super().__init__()
        self._recording = recording

    @guest.harmless
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """The callbacks behind this one are through with the epoch before."""
        self._recording.begin_epoch(epoch)

    @guest.harmless
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record what Keras gives to its own History, which has been read from the device already."""
        self._recording.take(epoch, logs or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return keras.callbacks.Callback, ()  # a copy is of no fit that is under way


class Recording:
    """A fit, until it is over; afterwards only its run and step, for what is evaluated and saved then."""

    def __init__(self, session: FitSession, model: Any, callbacks: Any, arguments: Mapping[str, Any]) -> None:
        told = callbacks.params or {}
        self.session = session
        self.run = session.run
        self.step: int | None = None
        self.steps: int | None = None  # what the optimizer says of the weights that the fit came to
        self.sets: dict[Any, str] = {}  # that the model was evaluated on, and what stands behind their names
        self.over = False
        self._model = model
        self._callbacks: list[Any] = callbacks.callbacks  # the list inside: who holds it doesn't hold the CallbackList
        self._epoch: int | None = arguments.get("initial_epoch")
        self._epochs: int | None = told.get("epochs")
        self._batches: int | None = told.get("steps")
        self._began: int | None = None  # what the optimizer had said
        self._counts_epochs: bool | None = None  # whether that stands still
        self._logs: Mapping[str, Any] = {}  # of the epoch before, which callbacks behind ours may change
        self._taken: Mapping[str, Any] = {}
        self._untold = _params.PARTS  # of the params
        self._listener = Listener(self)

    @classmethod
    def begin(cls, model: Any, callbacks: Any, options: RunOptions, call: Call | None) -> None:
        """Record the fit that begins, if there is anything to record."""
        before, origin = _last.get(model), loaded_from(model)
        forget(model)
        session = FitSession.begin(
            NAME,
            options.request(
                tags={"model": type(model).__name__},
                resume_from=origin,
                after=None if before is None else before.run,
                leader=_params.leads(),
            ),
        )
        if not session:
            return
        recording = cls(session, model, callbacks, {} if call is None else call.arguments)
        try:
            recording._describe(callbacks, {} if call is None else call.arguments)
            _last.set(model, recording)
            _fits.set(callbacks, recording)
            callbacks.callbacks.insert(0, recording._listener)
            if call is not None:
                call.recordings.append(recording)
            else:
                recording._watch(callbacks)
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise

    def _describe(self, callbacks: Any, arguments: Mapping[str, Any]) -> None:
        session = self.session
        session.record(lambda _: self._note_beginning())
        session.params(lambda: _params.fit(arguments, callbacks.params))
        self._tell_params()
        session.params(lambda: _params.callbacks(self._callbacks))
        for name, data in _data.arguments_of(arguments):
            session.record(lambda session, name=name, data=data: _data.describe(session, name, data))  # type: ignore[misc]

    def _note_beginning(self) -> None:
        self._began = steps_of(self._model)

    def _watch(self, callbacks: Any) -> None:
        """A loop of the user's: nobody tells if an exception leaves it, but then its list of callbacks is dropped.

        That may be never, so what is trained meanwhile does not count as a part of it.
        """
        left = weakref.finalize(callbacks, self.end, None, left=True)
        left.atexit = False  # what is open then, the core ends
        self.session.pause(returned=False)

    @staticmethod
    def of(model: Any) -> "Recording | None":
        """The last recorded fit of a model, if that is what made its weights."""
        found = _last.get(model)
        return None if found is None or (found.over and not _is_untrained_since(model, found.steps)) else found

    @staticmethod
    def finish(callbacks: Any) -> None:
        """A loop of the user's is over."""
        recording = _fits.pop(callbacks)
        if recording is not None:
            recording.end(None)

    def begin_epoch(self, epoch: int) -> None:
        """An epoch begins."""
        self._take_rest()
        self._epoch = epoch

    def take(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """The numbers of an epoch: those of training, and of validation beside them."""
        if self._untold:
            self._tell_params()
        _loaded.pop(self._model)  # it has been trained since
        self._epoch = epoch
        self.step = None  # counted on, where the optimizer can't be asked
        self.session.record(lambda _: self._note_step(epoch))
        self._logs, self._taken = logs, dict(logs)
        self._write(logs)
        if "learning_rate" not in logs:
            self.session.record(lambda _: self._write_rate())

    def _write_rate(self) -> None:
        rate = rate_of(getattr(self._model, "optimizer", None))
        if rate is not None:
            self._taken = {"learning_rate": rate, **self._taken}
            self._write({"learning_rate": rate})

    def _take_rest(self) -> None:
        """What callbacks behind ours have added to the numbers of the epoch, or changed: History has that, too."""
        logs, self._logs = self._logs, {}
        rest = {name: value for name, value in logs.items() if not _is_same(value, self._taken.get(name))}
        if rest:
            self._write(rest)

    def _write(self, logs: Mapping[str, Any]) -> None:
        train = {name: value for name, value in logs.items() if not str(name).startswith("val_")}
        val = {name: value for name, value in logs.items() if str(name).startswith("val_")}
        for split, metrics in (("train", train), ("val", val)):
            if metrics:
                self.session.metrics(metrics, step=self.step, epoch=self._epoch, split=split)

    def _note_step(self, epoch: int) -> None:
        """How often the optimizer has stepped; where a model uses others, batches of whole epochs are counted."""
        steps = steps_of(self._model)
        if self._counts_epochs is None:
            self._counts_epochs = steps is None or steps == self._began
        self.step = (epoch + 1) * (self._batches or 1) if self._counts_epochs or steps is None else steps

    def _tell_params(self) -> None:
        """What the model tells of itself; one that gets its shape from its first batch tells the rest then."""
        model = self._model
        built = getattr(model, "built", True)
        for part in self._untold:  # one that can't be asked costs only itself
            if built or part not in _params.SHAPES:
                self.session.params(lambda part=part: part(model))  # type: ignore[misc]
        self._untold = () if built else _params.SHAPES

    def saved(self, model: Any, path: str) -> None:
        """A model was written in this fit: the one that is fitted, or a part of it, say."""
        step = self.step if self._counts_epochs else steps_of(self._model)
        if model is self._model:
            roles, monitor, value = _files.meaning(path, self._callbacks)
        else:
            roles, monitor, value = (), None, None
        self.session.checkpoint(path, step=step, epoch=self._epoch, monitor=monitor, value=value, roles=roles)

    def end(self, error: BaseException | None, *, left: bool = False) -> None:
        """The fit is over; `left`: by an exception that nobody saw."""
        if self.over:
            return
        self.over = True
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
        self._take_rest()
        self.steps = steps_of(model)
        if self.step is None:
            self.step = self.steps
        why = _why_stopped(model, callbacks, self._epoch, self._epochs)
        if why is not None:
            self.run.set_tags({"stopped": why})


@guest.harmless
def record_saved(model: Any, path: str, call: Call | None) -> None:
    """A model was saved: in its fit a checkpoint, afterwards a file of its run."""
    recording = _last.get(model)
    if recording is not None and not recording.over:
        recording.saved(model, path)
    elif call is not None:
        for under_way in call.recordings:
            under_way.saved(model, path)
    elif recording is not None and Recording.of(model) is recording and "://" not in path:
        Additions(recording.run).file(Path(path), kind="model", most=KEPT_MODEL, step=recording.step)


@guest.harmless
def note_loaded(model: Any, path: Any) -> None:
    """A model was loaded from a file, or its weights were."""
    if isinstance(path, str | os.PathLike) and "://" not in str(path):
        place = Path(os.path.abspath(path))  # noqa: PTH100  # unlike resolve() it leaves links alone
        _loaded.set(model, Loaded(place, _state(place), steps_of(model)))


def forget(model: Any) -> None:
    """The model is trained anew: its weights are no longer those of a run, or of a file."""
    _last.pop(model)
    _loaded.pop(model)


def was_loaded(model: Any) -> bool:
    """Whether the weights are out of a file, whether it is still there or not."""
    return _loaded.get(model) is not None


def loaded_from(model: Any) -> Path | None:
    """The file that a model was loaded from, if both are still what they were."""
    found = _loaded.get(model)
    if found is None or _state(found.path) != found.state or not _is_untrained_since(model, found.steps):
        return None
    return found.path


def _is_untrained_since(model: Any, steps: int | None) -> bool:
    """Whether the optimizer has not stepped since: it says the same, or is a new one."""
    return steps_of(model) in (steps, None, 0)


def _state(path: Path) -> tuple[int, int] | None:
    """What tells whether a file has been written since."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _is_same(value: Any, other: Any) -> bool:
    return value is other or (isinstance(value, float) and isinstance(other, float) and value == other)


def _why_stopped(model: Any, callbacks: list[Any], epoch: int | None, epochs: int | None) -> str | None:
    """Why training stopped before its last epoch, if it did."""
    rest = 0 if epochs is None or epoch is None else epochs - epoch - 1
    if rest <= 0 or not getattr(model, "stop_training", False):
        return None
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.EarlyStopping) and callback.stopped_epoch:
            return f"epoch {callback.stopped_epoch}: {callback.monitor} did not improve for {callback.patience} epochs"
    return f"epoch {epoch}: stop_training was set, with {rest} epochs to go"
