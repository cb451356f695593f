"""The numbers of a fit: metrics by split, and the optimizer's steps and learning rate."""

from collections.abc import Mapping
from typing import Any

import keras

from runlore import guest
from runlore_keras._framework import schedule_of


def by_split(logs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the metrics whose names begin with "val_" under "val", all others under "train"."""
    found: dict[str, dict[str, Any]] = {"train": {}, "val": {}}
    for name, value in logs.items():
        found["val" if str(name).startswith("val_") else "train"][name] = value
    return {split: metrics for split, metrics in found.items() if metrics}


def steps_of(model: Any) -> int | None:
    """Return how many steps a model's optimizer has made; None where it has none."""
    found = _number(getattr(getattr(model, "optimizer", None), "iterations", None))
    return None if found is None else int(found)


def rate_of(optimizer: Any) -> float | None:
    """Return the learning rate; None where this would call a schedule of the user's, which may draw or count."""
    schedule = schedule_of(optimizer)
    scheduled = isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)
    if scheduled and type(schedule).__module__.partition(".")[0] != "keras":
        return None
    return _number(getattr(optimizer, "learning_rate", None))


def _number(value: Any) -> float | None:
    if value is None:
        return None
    with guest.without_trace():  # numpy may warn of how a backend's variables are converted
        return float(keras.ops.convert_to_numpy(value))
