"""One fit of a Trainer, recorded by taps on this very object, which are taken off at its teardown."""

import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runlore import FitSession, Store, guest
from runlore.additions import Additions
from runlore.launch import Launch
from runlore_lightning._data import record_data
from runlore_lightning._files import Files
from runlore_lightning._params import fit_params, rank_local, rates
from runlore_lightning.plugin import NAME

SPLITS = {"train": "train", "validate": "val", "test": "test"}  # by stage
Write = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user said of runs that are to be made."""

    name: str | None = None
    experiment: str | None = None
    tags: Mapping[str, Any] | None = None
    store: Store | None = None
    dry_runs: bool = False


_last: "weakref.WeakKeyDictionary[Any, Recording]" = weakref.WeakKeyDictionary()  # by trainer


class Taps:
    """Attributes of objects that were replaced, to be put back. One that somebody else replaced since is left alone."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Set `make(original)` on an object whose class has the method `name`.

        Raises:
            AttributeError: there is no such method.
        """
        new = make(getattr(owner, name))
        self._done.append((owner, name, new))
        setattr(owner, name, new)

    def __bool__(self) -> bool:
        return bool(self._done)

    def remove(self) -> None:
        """Put everything back."""
        for owner, name, new in reversed(self._done):
            if vars(owner).get(name) is new:
                delattr(owner, name)
        self._done.clear()


class Recording:
    """A fit from its start to the teardown of the strategy, behind all other callbacks. Afterwards only its session."""

    def __init__(self, trainer: Any, session: FitSession) -> None:
        self.session = session
        self.error: BaseException | None = None
        self.closed = False
        self.inside = False  # whether the trainer is giving something to its loggers
        self._evaluating = Taps()
        self._described = False  # whether the data was
        self._before = sys.exception()
        self._trainer = trainer
        self._taps = Taps()
        self._files = Files(trainer, session)
        self._tap_metrics(trainer, self._taps, session.metrics)
        try:
            self._taps.replace(trainer.fit_loop, "on_advance_start", self._recorded_epoch)
            self._taps.replace(trainer, "save_checkpoint", self._recorded_save)
            self._taps.replace(trainer.strategy, "remove_checkpoint", self._recorded_removal)
            self._taps.replace(trainer.strategy, "teardown", self._recorded_teardown)
        except BaseException:
            self._taps.remove()
            raise

    @classmethod
    def begin(cls, trainer: Any, options: Options, launch: Launch | None = None) -> None:
        """Record the fit that begins, if there is anything to record."""
        if (trainer.fast_dev_run or trainer.barebones) and not (options.dry_runs or guest.records_dry_runs()):
            return
        before = cls.of(trainer)
        session = FitSession.begin(
            NAME,
            name=options.name,
            experiment=options.experiment,
            params=lambda: fit_params(trainer),
            tags={"model": type(trainer.lightning_module).__name__, **(options.tags or {})},
            store=options.store,
            resume_from=trainer.ckpt_path,
            after=None if before is None else before.session.run,
            leader=trainer.is_global_zero,
            launch=launch,
        )
        if not session:
            return
        try:
            _last[trainer] = cls(trainer, session)
        except Exception as error:  # a Trainer of another kind than we know
            guest.warn(f"only the params of this fit are recorded: {type(error).__name__}: {error}")
            session.end()

    @staticmethod
    def of(trainer: Any) -> "Recording | None":
        """The last recorded fit of a trainer."""
        return _last.get(trainer)

    def evaluate(self, trainer: Any) -> None:
        """A test or validation behind the fit: its metrics are added to the run, at the step that the model has."""
        if not self.closed or self._evaluating:
            return
        self._tap_metrics(trainer, self._evaluating, Additions(self.session.run).metrics)
        self._evaluating.replace(trainer.strategy, "teardown", self._end_of_evaluation)

    def _end_of_evaluation(self, teardown: Callable[[], Any]) -> Callable[[], Any]:
        @guest.unseen
        def teardown_and_remove() -> Any:
            try:
                return teardown()
            finally:
                self._evaluating.remove()

        return teardown_and_remove

    def _tap_metrics(self, trainer: Any, taps: Taps, write: Write) -> None:
        """Take what the trainer gives to its loggers, also where it has none: each value once, at the step it is for.

        The sanity check gives nothing, `logger=False` keeps a metric out, and of `m_step` and `m_epoch` there is no
        alias.
        """

        def tapped(log_metrics: Callable[..., Any]) -> Callable[..., Any]:
            @guest.unseen
            def recorded_log_metrics(metrics: Any, *args: Any, **kwargs: Any) -> Any:
                self.inside = True
                try:
                    result = log_metrics(metrics, *args, **kwargs)  # first, as it reads what lies on a device
                finally:
                    self.inside = False
                _take(trainer, write, metrics, *args, **kwargs)
                return result

            return recorded_log_metrics

        try:
            taps.replace(trainer._logger_connector, "log_metrics", tapped)
        except AttributeError:  # a private name
            guest.warn("Lightning has changed its loggers: metrics are recorded with RunloreLogger only")

    def _recorded_epoch(self, on_advance_start: Callable[[], Any]) -> Callable[[], Any]:
        @guest.unseen
        def recorded_on_advance_start() -> Any:
            result = on_advance_start()
            if not self._described:
                self._described = True
                self.session.record(lambda session: record_data(session, self._trainer))
            self.session.record(self._record_rates)
            return result

        return recorded_on_advance_start

    def _record_rates(self, session: FitSession) -> None:
        trainer = self._trainer
        session.metrics(dict(rates(trainer)), step=trainer.global_step, epoch=trainer.current_epoch, split="train")

    def _recorded_save(self, save_checkpoint: Callable[..., Any]) -> Callable[..., Any]:
        @guest.unseen
        def recorded_save_checkpoint(filepath: Any, *args: Any, **kwargs: Any) -> Any:
            result = save_checkpoint(filepath, *args, **kwargs)
            self.session.record(lambda _: self._files.saved(filepath))
            return result

        return recorded_save_checkpoint

    def _recorded_removal(self, remove_checkpoint: Callable[..., Any]) -> Callable[..., Any]:
        @guest.unseen
        def recorded_remove_checkpoint(filepath: Any, *args: Any, **kwargs: Any) -> Any:
            with self.session.removing(filepath):
                return remove_checkpoint(filepath, *args, **kwargs)

        return recorded_remove_checkpoint

    def _recorded_teardown(self, teardown: Callable[[], Any]) -> Callable[[], Any]:
        @guest.unseen
        def recorded_teardown() -> Any:
            passing = sys.exception()
            if self.error is None and passing is not self._before:
                self.error = passing
            try:
                return teardown()
            finally:
                self._close()

        return recorded_teardown

    def _close(self) -> None:
        trainer, session = self._trainer, self.session
        self.closed = True
        self._taps.remove()
        try:
            session.record(lambda _: self._files.note_links())
            session.record(lambda session: _record_outcome(session, trainer))
        finally:  # also when Ctrl-C comes meanwhile
            self._trainer = self._files = None  # type: ignore[assignment]  # they hold the trainer
            error, self.error, self._before = self.error, None, None  # as do the frames of an exception
            told = isinstance(error, SystemExit) and bool(getattr(trainer, "received_sigterm", False))
            session.end(error, interrupted=told)


@guest.harmless
def _take(trainer: Any, write: Write, metrics: Mapping[str, Any], step: int | None = None) -> None:
    if not metrics:
        return
    if "step" in metrics:  # which moves the axis of other loggers
        metrics = {name: value for name, value in metrics.items() if name != "step"}
    stage = trainer.state.stage
    split = None if stage is None else SPLITS.get(stage.value)
    write(metrics, step=trainer.global_step if step is None else step, epoch=trainer.current_epoch, split=split)


def _record_outcome(session: FitSession, trainer: Any) -> None:
    """What a trainer knows at the end: why it stopped early, and which metrics are of one rank only."""
    for callback in trainer.early_stopping_callbacks:
        if getattr(callback, "stopped_epoch", 0):
            reason = getattr(callback, "stopping_reason_message", None) or f"{callback.monitor} did not improve"
            session.run.set_tags({"stopped": f"epoch {callback.stopped_epoch}: {reason}"})
    for name in rank_local(trainer):
        session.missing(f"metric {name!r} of other ranks", "logged without sync_dist: it is rank 0's own value")
