"""Numbers that a backend holds."""

from typing import Any

import keras
import numpy as np

from runlore import guest


def steps_of(model: Any) -> int | None:
    """How often a model's optimizer has stepped; None where it has none."""
    found = _number(getattr(getattr(model, "optimizer", None), "iterations", None))
    return None if found is None else int(found)


def rate_of(optimizer: Any) -> float | None:
    """The learning rate; None where asking for it would call a schedule of the user's, which may draw or count."""
    schedule = getattr(optimizer, "_learning_rate", None)
    scheduled = isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)
    if scheduled and type(schedule).__module__.partition(".")[0] != "keras":
        return None
    return _number(getattr(optimizer, "learning_rate", None))


def _number(value: Any) -> float | None:
    if value is None:
        return None
    with guest.without_trace():  # numpy may warn of how a backend's variables are converted
        return float(keras.ops.convert_to_numpy(value))


def as_written(value: Any) -> Any:
    """A float that a backend holds in 32 bits as it was written: 0.001, not 0.0010000000474974513."""
    if not isinstance(value, float) or float(np.float32(value)) != value:
        return value
    return float(str(np.float32(value)))
