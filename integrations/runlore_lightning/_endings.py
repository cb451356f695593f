"""Tell why a fit ended before its limits: by a callback, the time, or code of the user's."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

Stop = tuple[Any, Any]  # the epoch that a callback has stopped last, and why; None for one that stops nothing
Stops = Mapping[int, Stop]  # by the place of the callback


def stops(trainer: Any) -> Stops:
    """Return what the callbacks of a trainer have stopped so far: one that is shared keeps that from fit to fit."""
    return dict(enumerate(map(_stop_of, trainer.callbacks)))


def reason_to_stop(trainer: Any, before: Stops, last_epoch: int | None) -> str | None:
    """Return why a fit that returned was stopped, in its last epoch; None where it went on to its limits.

    `before` is what its callbacks had stopped when it began.
    """
    if not trainer.should_stop:
        return None
    reasons = [
        _reason_of(callback, before.get(place), last_epoch) or _time_of(callback)
        for place, callback in enumerate(trainer.callbacks)
    ]
    return next(filter(None, reasons), "trainer.should_stop was set")


def _reason_of(callback: Any, before: Stop | None, last_epoch: int | None) -> str | None:
    """Return the reason of an EarlyStopping; None where it stopped nothing in this fit, or is something else."""
    epoch, reason = found = _stop_of(callback)
    return str(reason) if reason and (found != before or epoch == last_epoch) else None


def _stop_of(callback: Any) -> Stop:
    return getattr(callback, "stopped_epoch", None), getattr(callback, "stopping_reason_message", None)


def _time_of(callback: Any) -> str | None:
    """Return what a Timer has to say, which also `max_time` makes; None where its time is not over."""
    ask = getattr(callback, "time_remaining", None)
    left = ask() if callable(ask) else None
    if left is None or left > 0:
        return None
    return f"the time of {timedelta(seconds=round(callback.time_elapsed() + left, 3))} was over"
