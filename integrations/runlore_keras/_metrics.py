"""The numbers of a fit: metrics by split, and the optimizer's steps and learning rate."""

from collections.abc import Mapping
from typing import Any

import keras

from runlore import guest
from runlore.guest.recorder import Recorder
from runlore_keras._framework import schedule_of

SPLITS = ("val", "test")  # that the names of metrics may begin with


def by_split(logs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the metrics whose names begin with "val_" or "test_" under "val" or "test", all others under "train"."""
    found: dict[str, dict[str, Any]] = {"train": {}, "val": {}, "test": {}}
    for name, value in logs.items():
        prefix = str(name).partition("_")[0]
        found[prefix if prefix in SPLITS and prefix != name else "train"][name] = value
    return {split: metrics for split, metrics in found.items() if metrics}


def steps_of(model: Any) -> int | None:
    """Return how many steps a model's optimizer has made; None where it has none."""
    return iterations_of(getattr(model, "optimizer", None))


def iterations_of(optimizer: Any) -> int | None:
    """Return how many steps an optimizer has made; None for no optimizer."""
    found = _number(getattr(optimizer, "iterations", None))
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


class Epochs:
    """Writes the numbers of each epoch once: when Keras tells them, and what callbacks behind ours add or change."""

    def __init__(self, recorder: Recorder, ending: str = "") -> None:
        self._recorder = recorder
        self._ending = ending  # of all names
        self._place: tuple[int | None, int | None] = (None, None)  # step and epoch
        self._taken: dict[str, Any] = {}  # the numbers of the newest epoch that are written
        self.logs: Mapping[str, Any] = {}  # of the newest epoch; callbacks behind ours may change it

    def take(self, logs: Mapping[str, Any], step: int | None, epoch: int | None) -> None:
        """Write the numbers of an epoch."""
        self.logs, self._taken, self._place = logs, dict(logs), (step, epoch)
        self._write(logs)

    def add(self, numbers: Mapping[str, Any]) -> None:
        """Write numbers beside those of the epoch, unless Keras has told them."""
        self.write_new({name: value for name, value in numbers.items() if name not in self._taken})

    def write_new(self, numbers: Mapping[str, Any] | None = None) -> None:
        """Write what is new or has changed among the numbers of the epoch."""
        found = self.logs if numbers is None else numbers
        rest = {name: value for name, value in found.items() if not _is_same(value, self._taken.get(name))}
        self._taken |= rest
        self._write(rest)

    def _write(self, logs: Mapping[str, Any]) -> None:
        step, epoch = self._place
        for split, metrics in by_split(logs).items():
            named = {f"{name}{self._ending}": value for name, value in metrics.items()} if self._ending else metrics
            self._recorder.metrics(named, step=step, epoch=epoch, split=split)


def _is_same(value: Any, other: Any) -> bool:
    return value is other or (isinstance(value, float) and isinstance(other, float) and value == other)
