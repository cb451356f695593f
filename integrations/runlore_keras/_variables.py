"""Numbers that a backend holds."""

from typing import Any

import keras
import numpy as np

from runlore import guest


def number(owner: Any, name: str) -> float | None:
    """The value of an attribute that is a variable or a tensor; None where there is none."""
    value = getattr(owner, name, None)
    if value is None:
        return None
    with guest.without_trace():  # numpy may warn of how a backend's variables are converted
        return float(keras.ops.convert_to_numpy(value))


def steps_of(model: Any) -> int | None:
    """How often a model's optimizer has stepped."""
    found = number(getattr(model, "optimizer", None), "iterations")
    return None if found is None else int(found)


def as_written(value: Any) -> Any:
    """A float that a backend holds in 32 bits as it was written: 0.001, not 0.0010000000474974513."""
    if not isinstance(value, float) or float(np.float32(value)) != value:
        return value
    return float(str(np.float32(value)))
