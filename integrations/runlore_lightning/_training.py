"""One recorded fit of a Trainer: its parameters, data, metrics and checkpoints, from its beginning to its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from runlore import FitSession
from runlore.guest.launch import Launch
from runlore.guest.options import RunOptions
from runlore_lightning._checkpoints import Checkpoints
from runlore_lightning._data import record_data
from runlore_lightning._framework import NAME
from runlore_lightning._metrics import Points, rates, record_silence, record_unsynced
from runlore_lightning._owners import Owner, owners
from runlore_lightning._params import PARTS, optimizers


@dataclass(frozen=True, slots=True)
class Options(RunOptions):
    """The options of the runs that a user gave; with `dry_runs`, `fast_dev_run` and `barebones` make runs, too."""

    dry_runs: bool = False


class Training:
    """A fit that is recorded. It holds the trainer, and is dropped when the fit ends: its `Owner` stays."""

    def __init__(self, trainer: Any, session: FitSession) -> None:
        self.session = session
        self.owner = Owner(session)
        self._trainer = trainer
        self._points = Points(trainer, session.metrics)
        self._checkpoints = Checkpoints(trainer, session, self.owner.steps)
        self._data_recorded = False

    @classmethod
    def begin(cls, trainer: Any, options: Options, launch: Launch | None) -> Self | None:
        """Open the run of the fit that begins, and record its parameters; None where nothing is to be recorded."""
        module = trainer.lightning_module
        before = owners().of(trainer)
        request = options.request(
            tags={"model": type(module).__name__},
            resume_from=trainer.ckpt_path,
            after=None if before is None else before.session.run,
            leader=trainer.is_global_zero,
            launch=launch,
        )
        session = FitSession.begin(NAME, request)
        if not session:
            return None
        try:
            training = cls(trainer, session)
            for part in PARTS:
                session.params(lambda part=part: part(trainer))  # type: ignore[misc]
        except BaseException as error:  # Ctrl-C meanwhile
            session.end(error)
            raise
        owners().set(training.owner, trainer, module)
        return training

    def take(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Write metrics that the trainer gives to its loggers."""
        self._points.write(metrics, step)

    def begin_epoch(self) -> None:
        """Record the learning rates, and before the first epoch the data, which is loaded by now."""
        trainer, session = self._trainer, self.session
        if not self._data_recorded:
            self._data_recorded = True
            session.record(lambda session: record_data(session, trainer))
            if trainer.ckpt_path is not None:  # learning rates were restored from the checkpoint
                session.params(lambda: optimizers(trainer))
        session.record(self._record_rates)

    def saved(self, filepath: Any) -> None:
        """Record a checkpoint that the trainer has saved."""
        self.session.record(lambda _: self._checkpoints.saved(filepath))

    def end(self, error: BaseException | None) -> None:
        """Record how the fit went out, and end its session."""
        trainer, session = self._trainer, self.session
        try:
            session.record(lambda _: self._checkpoints.note_links())
            session.record(lambda session: _record_outcome(session, trainer))
            if not self._points.written:
                session.record(lambda session: record_silence(session, trainer))
        finally:  # also when Ctrl-C comes meanwhile
            told_to = isinstance(error, SystemExit) and bool(getattr(trainer, "received_sigterm", False))
            session.end(error, interrupted=told_to)

    def _record_rates(self, session: FitSession) -> None:
        trainer = self._trainer
        session.metrics(dict(rates(trainer)), step=trainer.global_step, epoch=trainer.current_epoch, split="train")


def _record_outcome(session: FitSession, trainer: Any) -> None:
    """Record why the fit stopped early, and which metrics are of one rank only."""
    for callback in trainer.early_stopping_callbacks:
        if getattr(callback, "stopped_epoch", 0):
            reason = getattr(callback, "stopping_reason_message", None) or f"{callback.monitor} did not improve"
            session.run.set_tags({"stopped": f"epoch {callback.stopped_epoch}: {reason}"})
    record_unsynced(session, trainer)
