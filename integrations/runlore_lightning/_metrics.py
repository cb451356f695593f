"""From what a trainer gives to its loggers to points."""

from collections.abc import Callable, Mapping
from typing import Any

SPLITS = {"train": "train", "validate": "val", "test": "test"}  # by stage


def take(
    trainer: Any, write: Callable[..., object], metrics: Mapping[str, Any], step: int | None, at: int | None
) -> None:
    """Write it at the trainer's step, or the one that it is `at`; `step` is a validation's own count of batches."""
    if step is None:
        step = trainer.global_step if at is None else at
    write(without_axis(metrics), step=step, epoch=trainer.current_epoch, split=split_of(trainer.state.stage))


def split_of(stage: Any) -> str | None:
    """The split that a stage of the trainer works on."""
    return None if stage is None else SPLITS.get(stage.value)


def without_axis(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metrics but for one named "step", which moves the axis of other loggers."""
    return {name: value for name, value in metrics.items() if name != "step"} if "step" in metrics else metrics
