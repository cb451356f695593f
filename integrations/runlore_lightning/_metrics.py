"""Turn what a trainer gives to its loggers into points, and tell which metrics are missing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runlore import FitSession
from runlore_lightning._framework import logged_metrics, loop_results

SPLITS = {"train": "train", "validate": "val", "test": "test"}  # by stage


class Points:
    """Writes what one trainer gives to its loggers.

    Points stand at the step that Lightning gives (in a validation its own count of batches), else at the step `at`,
    else at the trainer's `global_step`.
    """

    def __init__(self, trainer: Any, write: Callable[..., object], at: int | None = None) -> None:
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
        stage = trainer.state.stage
        if stage is not self._stage:  # asked for its value, an enum takes half a microsecond
            self._stage, self._split = stage, None if stage is None else SPLITS.get(stage.value)
        if step is None:
            step = trainer.global_step if self._at is None else self._at
        if "step" in metrics:
            metrics = {name: value for name, value in metrics.items() if name != "step"}
        self._write(metrics, step=step, epoch=trainer.current_epoch, split=self._split)


def rates(trainer: Any) -> Iterator[tuple[str, float]]:
    """Yield the learning rate of every group of parameters, named as Lightning's LearningRateMonitor names it."""
    seen: dict[str, int] = {}
    for optimizer in trainer.optimizers:
        kind = type(optimizer).__name__
        number = seen[kind] = seen.get(kind, 0) + 1
        name = f"lr-{kind}" if number == 1 else f"lr-{kind}-{number - 1}"
        groups = optimizer.param_groups
        for place, group in enumerate(groups):
            rate = group.get("lr")
            if rate is not None:
                yield name if len(groups) == 1 else f"{name}/pg{place + 1}", rate


def record_silence(session: FitSession, trainer: Any) -> None:
    """Say which metrics are missing because a short fit that logs only by step gives its loggers nothing."""
    logged = logged_metrics(trainer)
    if logged and trainer.global_step < trainer.log_every_n_steps:
        why = f"log_every_n_steps is {trainer.log_every_n_steps}, the fit had {trainer.global_step} steps"
        session.missing(f"metrics {', '.join(logged)}", f"Lightning gives them to no logger: {why}")


def record_unsynced(session: FitSession, trainer: Any) -> None:
    """Say which metrics are rank 0's own: those of the last loop that are not reduced over the ranks."""
    if trainer.world_size < 2:
        return
    loops = (trainer.fit_loop.epoch_loop, trainer.fit_loop.epoch_loop.val_loop)
    logged = [item for loop in loops for item in loop_results(loop).values()]
    for name in sorted({item.meta.name for item in logged if item.is_tensor and not item.meta.sync.should}):
        session.missing(f"metric {name!r} of other ranks", "logged without sync_dist: it is rank 0's own value")
