"""One fit of a Trainer, recorded by taps on this very object, which are taken off at its teardown."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runlore import FitSession, Store, guest
from runlore.additions import Additions
from runlore.launch import Launch
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

    def remove(self) -> None:
        """Put everything back."""
        for owner, name, new in reversed(self._done):
            if vars(owner).get(name) is new:
                delattr(owner, name)
        self._done.clear()


class Metrics:
    """What the trainer gives to its loggers, also where it has none: each value once, at the step it is for.

    The sanity check gives nothing, `logger=False` keeps a metric out, and of `m_step` and `m_epoch` there is no alias.
    """

    def __init__(self, trainer: Any, taps: Taps, write: Write) -> None:
        self._trainer = trainer
        self._write = write
        self.inside = False  # whether the trainer is giving something to its loggers
        try:
            taps.replace(trainer._logger_connector, "log_metrics", self._tapped)
        except AttributeError:  # a private name
            guest.warn("Lightning has changed its loggers: metrics are recorded with RunloreLogger only")

    def _tapped(self, log_metrics: Callable[..., Any]) -> Callable[..., Any]:
        def recorded_log_metrics(metrics: Any, *args: Any, **kwargs: Any) -> Any:
            self.inside = True
            try:
                result = log_metrics(metrics, *args, **kwargs)  # first, as it reads what lies on a device
            finally:
                self.inside = False
            self._take(metrics, *args, **kwargs)
            return result

        return recorded_log_metrics

    def _take(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        if not metrics:
            return
        trainer = self._trainer
        if "step" in metrics:  # which moves the axis of other loggers
            metrics = {name: value for name, value in metrics.items() if name != "step"}
        split = SPLITS.get(trainer.state.stage)
        self._write(
            metrics, step=trainer.global_step if step is None else step, epoch=trainer.current_epoch, split=split
        )


class Recording:
    """A fit from its start to the teardown of the strategy, behind all other callbacks. Afterwards only its session."""

    def __init__(self, trainer: Any, session: FitSession) -> None:
        self.session = session
        self.error: BaseException | None = None
        self.closed = False
        self._before = sys.exception()
        self._trainer = trainer
        self._taps = Taps()
        self._files = Files(trainer, session)
        self.metrics = Metrics(trainer, self._taps, session.metrics)
        self._taps.replace(trainer, "save_checkpoint", self._recorded_save)
        self._taps.replace(trainer.strategy, "remove_checkpoint", self._recorded_removal)
        self._taps.replace(trainer.strategy, "teardown", self._recorded_teardown)

    @classmethod
    def begin(
        cls, trainer: Any, options: Options, launch: Launch | None = None, before: "Recording | None" = None
    ) -> "Recording | None":
        """Record the fit that begins; None where there is nothing to record."""
        if (trainer.fast_dev_run or trainer.barebones) and not (options.dry_runs or guest.records_dry_runs()):
            return None
        session = FitSession.begin(
            NAME,
            name=options.name,
            experiment=options.experiment,
            params=lambda: fit_params(trainer),
            tags={"model": type(trainer.lightning_module).__name__, **(options.tags or {})},
            store=options.store,
            resume_from=trainer.ckpt_path,
            after=before.session.run if before is not None else None,
            leader=trainer.is_global_zero,
            launch=launch,
        )
        return cls(trainer, session) if session else None

    def record_rates(self) -> None:
        """The learning rate of each optimizer."""
        if not self.closed:
            self.session.record(self._record_rates)

    def _record_rates(self, session: FitSession) -> None:
        trainer = self._trainer
        session.metrics(dict(rates(trainer)), step=trainer.global_step, epoch=trainer.current_epoch, split="train")

    def _recorded_save(self, save_checkpoint: Callable[..., Any]) -> Callable[..., Any]:
        def recorded_save_checkpoint(filepath: Any, *args: Any, **kwargs: Any) -> Any:
            result = save_checkpoint(filepath, *args, **kwargs)
            self.session.record(lambda _: self._files.saved(filepath))
            return result

        return recorded_save_checkpoint

    def _recorded_removal(self, remove_checkpoint: Callable[..., Any]) -> Callable[..., Any]:
        def recorded_remove_checkpoint(filepath: Any, *args: Any, **kwargs: Any) -> Any:
            with self.session.removing(filepath):
                return remove_checkpoint(filepath, *args, **kwargs)

        return recorded_remove_checkpoint

    def _recorded_teardown(self, teardown: Callable[[], Any]) -> Callable[[], Any]:
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
            self._trainer = self._files = self.metrics = None  # type: ignore[assignment]  # they hold the trainer
            told = isinstance(self.error, SystemExit) and bool(getattr(trainer, "received_sigterm", False))
            session.end(self.error, interrupted=told)


class Evaluation:
    """A test or validation behind a fit: its metrics are added to the run, under the step that the model has."""

    def __init__(self, trainer: Any, run: Any) -> None:
        self._taps = Taps()
        Metrics(trainer, self._taps, Additions(run).metrics)
        self._taps.replace(trainer.strategy, "teardown", self._with_removal)

    def _with_removal(self, teardown: Callable[[], Any]) -> Callable[[], Any]:
        def teardown_and_remove() -> Any:
            try:
                return teardown()
            finally:
                self._taps.remove()

        return teardown_and_remove


def _record_outcome(session: FitSession, trainer: Any) -> None:
    """What a trainer knows at the end: why it stopped early, and which metrics are of one rank only."""
    for callback in trainer.early_stopping_callbacks:
        if getattr(callback, "stopped_epoch", 0):
            reason = getattr(callback, "stopping_reason_message", None) or f"{callback.monitor} did not improve"
            session.run.set_tags({"stopped": f"epoch {callback.stopped_epoch}: {reason}"})
    for name in rank_local(trainer):
        session.missing(f"metric {name!r} of other ranks", "logged without sync_dist: it is rank 0's own value")
