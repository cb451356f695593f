"""One fit of a model, from the moment that its callbacks know of it until Keras is through with them."""

import os
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runlore import FitSession
from runlore.additions import Additions, Sets
from runlore.options import RunOptions
from runlore_keras import _data, _files, _params
from runlore_keras._variables import number, steps_of
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
    """What a model was loaded from last."""

    path: Path
    state: Any  # of the file then


_last: "weakref.WeakKeyDictionary[Any, Recording]" = weakref.WeakKeyDictionary()  # by model
_loaded: "weakref.WeakKeyDictionary[Any, Loaded]" = weakref.WeakKeyDictionary()  # by model, since its last fit began


class Recording:
    """A fit, until it is over; afterwards only its run and step, for what is evaluated and saved then."""

    def __init__(self, session: FitSession, model: Any, callbacks: Any, arguments: Mapping[str, Any]) -> None:
        self.session = session
        self.run = session.run
        self.epoch: int | None = arguments.get("initial_epoch")
        self.step: int | None = None
        self.sets = Sets()  # that the model was evaluated on
        self.over = False
        self._logs: Mapping[str, Any] = {}  # of the epoch before, which callbacks behind ours may add to
        self._taken: set[str] = set()
        self._model = model
        self._callbacks = callbacks.callbacks  # the list inside: who holds it doesn't hold the CallbackList
        told = callbacks.params or {}
        self._batches, self._epochs = told.get("steps"), told.get("epochs")
        self._began = steps_of(model)
        self._counts_epochs: bool | None = None  # whether the optimizer's count of steps stands still
        session.params(lambda: _params.fit(arguments, callbacks.params))
        self._untold = _params.PARTS  # of the params
        self._tell_params()
        session.params(lambda: _params.callbacks(self._callbacks))
        session.record(lambda session: _data.record(session, arguments))

    def _tell_params(self) -> None:
        """What the model tells of itself; one that gets its shape from its first batch tells the rest then."""
        model = self._model
        built = getattr(model, "built", True)
        for part in self._untold:  # one that can't be asked costs only itself
            if built or part not in _params.SHAPES:
                self.session.params(lambda part=part: part(model))  # type: ignore[misc]
        self._untold = () if built else _params.SHAPES

    @classmethod
    def begin(cls, model: Any, callbacks: Any, options: RunOptions, call: Call | None) -> "Recording | None":
        """Record the fit that begins, if there is anything to record."""
        before = _last.get(model)
        session = FitSession.begin(
            NAME,
            **options.of_run(model=type(model).__name__),
            resume_from=loaded_from(model),
            after=None if before is None else before.run,
            leader=_params.leads(),
        )
        if not session:
            return None
        try:
            recording = cls(session, model, callbacks, {} if call is None else call.arguments)
        except BaseException as error:  # Ctrl-C while the data is read
            session.end(error)
            raise
        _last[model] = recording
        _loaded.pop(model, None)
        if call is not None:
            call.recordings.append(recording)
        else:  # a loop of the user's: nobody tells if an exception leaves it, but then its list of callbacks is dropped
            left = weakref.finalize(callbacks, recording.end, None, left=True)
            left.atexit = False  # what is open then, the core ends
        return recording

    @staticmethod
    def of(model: Any) -> "Recording | None":
        """The last recorded fit of a model."""
        return _last.get(model)

    def begin_epoch(self, epoch: int) -> None:
        """An epoch begins."""
        self._take_rest()
        self.epoch = epoch

    def take(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """The numbers of an epoch: those of training, and of validation beside them."""
        if self._untold:
            self._tell_params()
        self.epoch = epoch
        self.step = self._step(epoch)
        rate = number(getattr(self._model, "optimizer", None), "learning_rate")
        extra = {} if rate is None or "learning_rate" in logs else {"learning_rate": rate}
        self._logs, self._taken = logs, {*logs, "learning_rate"}
        self._write({**logs, **extra})

    def _take_rest(self) -> None:
        """What callbacks behind ours have added to the numbers of the epoch, as Keras's own History has it."""
        logs, self._logs = self._logs, {}
        rest = {name: value for name, value in logs.items() if name not in self._taken}
        if rest:
            self._write(rest)

    def _write(self, logs: Mapping[str, Any]) -> None:
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        val = {name: value for name, value in logs.items() if name.startswith("val_")}
        for split, metrics in (("train", train), ("val", val)):
            if metrics:
                self.session.metrics(metrics, step=self.step, epoch=self.epoch, split=split)

    def _step(self, epoch: int) -> int:
        """How often the optimizer has stepped; where a model uses others, batches of whole epochs are counted."""
        iterations = steps_of(self._model)
        if self._counts_epochs is None:
            self._counts_epochs = iterations is None or iterations == self._began
        return (epoch + 1) * (self._batches or 1) if self._counts_epochs or iterations is None else iterations

    @staticmethod
    def saved(model: Any, path: str) -> None:
        """A model was saved: in its fit a checkpoint, afterwards a file of its run."""
        recording = _last.get(model)
        if recording is None:
            return
        if recording.over:
            Additions(recording.run).file(Path(path), kind="model", most=KEPT_MODEL)
        else:
            recording._saved(path)

    def _saved(self, path: str) -> None:
        step = steps_of(self._model) if not self._counts_epochs else self.step
        roles, monitor, value = _files.meaning(path, self._callbacks)
        self.session.checkpoint(path, step=step, epoch=self.epoch, monitor=monitor, value=value, roles=roles)

    def end(self, error: BaseException | None, *, left: bool = False) -> None:
        """The fit is over; `left`: by an exception that nobody saw."""
        if self.over:
            return
        self.over = True
        model, callbacks = self._model, self._callbacks
        self._model = None
        self._callbacks = []
        try:
            self.session.record(lambda _: self._take_rest())
            why = _why_stopped(model, callbacks, self.epoch, self._epochs)
            if why is not None:
                self.session.record(lambda session: session.run.set_tags({"stopped": why}))
        finally:  # also when Ctrl-C comes meanwhile
            _remove_ours(callbacks)
            if left:
                error = RuntimeError("the fit was left by an exception that runlore was not told of")
            elif error is None and self.step is None:
                self.step = steps_of(model)
            self.session.end(error)


def note_loaded(model: Any, path: str) -> None:
    """A model was loaded from a file, or its weights were."""
    place = Path(os.path.abspath(path))  # noqa: PTH100  # unlike resolve() it leaves links alone
    _loaded[model] = Loaded(place, _state(place))


def loaded_from(model: Any) -> Path | None:
    """The file that a model was loaded from, if it is still what it was."""
    found = _loaded.get(model)
    return None if found is None or _state(found.path) != found.state else found.path


def _state(path: Path) -> tuple[int, int] | None:
    """What tells whether a file has been written since."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _why_stopped(model: Any, callbacks: Iterable[Any], epoch: int | None, epochs: int | None) -> str | None:
    """Why training stopped before its last epoch, if it did."""
    for callback in callbacks:
        stopped = getattr(callback, "stopped_epoch", 0)
        if stopped and hasattr(callback, "patience"):
            return f"epoch {stopped}: {callback.monitor} did not improve for {callback.patience} epochs"
    rest = 0 if epochs is None or epoch is None else epochs - epoch - 1
    if rest > 0 and getattr(model, "stop_training", False):
        return f"epoch {epoch}: stop_training was set, with {rest} epochs to go"
    return None


def _remove_ours(callbacks: list[Any]) -> None:
    """Take autolog's callback out of a list that the user may have made."""
    from runlore_keras._callback import AutologCallback

    callbacks[:] = [item for item in callbacks if not isinstance(item, AutologCallback)]
