"""Tell why a fit ended before its limits: by a callback, the time, or code of the user's."""

from datetime import timedelta
from typing import Any


def reason_to_stop(trainer: Any, first_epoch: int) -> str | None:
    """Return why a fit that began in an epoch and returned was stopped; None where it went on to its limits."""
    if not trainer.should_stop:
        return None
    reasons = [_reason_of(callback, first_epoch) or _time_of(callback) for callback in trainer.callbacks]
    return next(filter(None, reasons), "trainer.should_stop was set")


def _reason_of(callback: Any, first_epoch: int) -> str | None:
    """Return the reason of an EarlyStopping; None where it stopped nothing since that epoch, or is something else.

    Its `stopped_epoch` is 0 before it has stopped anything, too.
    """
    epoch = getattr(callback, "stopped_epoch", None)
    reason = getattr(callback, "stopping_reason_message", None)
    return str(reason) if epoch is not None and reason and epoch >= first_epoch else None


def _time_of(callback: Any) -> str | None:
    """Return what a Timer has to say, which also `max_time` makes; None where its time is not over."""
    ask = getattr(callback, "time_remaining", None)
    left = ask() if callable(ask) else None
    if left is None or left > 0:
        return None
    return f"the time of {timedelta(seconds=round(callback.time_elapsed() + left, 3))} was over"
