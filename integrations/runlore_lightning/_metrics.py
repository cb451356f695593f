"""From what a trainer gives to its loggers to points."""

from collections.abc import Callable, Mapping
from typing import Any

from runlore import guest

SPLITS = {"train": "train", "validate": "val", "test": "test"}  # by stage


@guest.harmless
def take(
    trainer: Any,
    write: Callable[..., object],
    metrics: Mapping[str, Any],
    step: int | None = None,
    *,
    at: int | None = None,
) -> None:
    """Write it at the trainer's step, or the one that it is `at`; `step` is a validation's own count of batches."""
    if "step" in metrics:  # which moves the axis of other loggers
        metrics = {name: value for name, value in metrics.items() if name != "step"}
    stage = trainer.state.stage
    split = None if stage is None else SPLITS.get(stage.value)
    if step is None:
        step = trainer.global_step if at is None else at
    write(metrics, step=step, epoch=trainer.current_epoch, split=split)
