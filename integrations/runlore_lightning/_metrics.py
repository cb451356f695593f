"""Turn what a trainer gives to its loggers into points, and tell which metrics are missing."""

from collections.abc import Callable, Mapping
from typing import Any

from runlore import FitSession
from runlore_lightning._framework import logged_metrics, loop_results
from runlore_lightning._optimizers import steps_done

SPLITS = {"train": "train", "validate": "val", "test": "test"}  # by stage


class Points:
    """Writes what one trainer gives to its loggers.

    Points stand at the step that Lightning gives (in a validation its own count of batches), else at that of `at`, step
    and epoch of the weights; without it at the trainer's own.
    """

    def __init__(
        self, trainer: Any, write: Callable[..., object], at: tuple[int | None, float | None] | None = None
    ) -> None:
        self.written = False
        self._trainer = trainer
        self._write = write
        self._at = at
        self._stage: Any = None  # of the last call
        self._split: str | None = None

    def write(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Write metrics but for one named "step", which moves the axis of other loggers."""
        trainer = self._trainer
        self.written = True
        split = self.split()
        at, epoch = self._at or (None, trainer.current_epoch)
        if step is None:
            step = steps_done(trainer) if self._at is None else at
        if "step" in metrics:
            metrics = {name: value for name, value in metrics.items() if name != "step"}
        self._write(metrics, step=step, epoch=epoch, split=split)

    def split(self) -> str | None:
        """Return the split of the trainer's stage now."""
        stage = self._trainer.state.stage
        if stage is not self._stage:  # asked for its value, an enum takes half a microsecond
            self._stage, self._split = stage, None if stage is None else SPLITS.get(stage.value)
        return self._split


def record_silence(session: FitSession, trainer: Any) -> None:
    """Say which metrics are missing because a short fit that logs only by step gives its loggers nothing."""
    logged = logged_metrics(trainer)
    if logged and steps_done(trainer) < trainer.log_every_n_steps:
        why = f"log_every_n_steps is {trainer.log_every_n_steps}, the fit had {steps_done(trainer)} steps"
        session.missing(f"metrics {', '.join(logged)}", f"Lightning gives them to no logger: {why}")


def record_unsynced(session: FitSession, trainer: Any) -> None:
    """Say which metrics are rank 0's own: those of the last loop that are not reduced over the ranks."""
    if trainer.world_size < 2:
        return
    loops = (trainer.fit_loop.epoch_loop, trainer.fit_loop.epoch_loop.val_loop)
    logged = [item for loop in loops for item in loop_results(loop).values()]
    for name in sorted({item.meta.name for item in logged if item.is_tensor and not item.meta.sync.should}):
        session.missing(f"metric {name!r} of other ranks", "logged without sync_dist: it is rank 0's own value")
