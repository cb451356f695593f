"""The numbers of a fit: metrics by split, at the optimizer's steps, and the learning rate."""

import sys
from typing import Any

import keras
import numpy as np
import pytest

from runlore import Store
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only


@pytest.mark.shows("keras", "metrics")
def test_train_and_val_metrics_once_an_epoch(store: Store) -> None:
    history = fit(model(), RunloreCallback(), validation_split=0.25)
    run = only(store)
    assert sorted(run.metrics) == ["learning_rate", "loss", "mae", "val_loss", "val_mae"]
    for name, series in history.history.items():
        assert run.metrics[name].values.tolist() == series
        assert run.metrics[name].steps.tolist() == [2, 4, 6]  # 12 rows of 16 in batches of 8
        assert run.metrics[name].epochs.tolist() == [0, 1, 2]
        assert run.metrics[name].split == ("val" if name.startswith("val_") else "train")


def test_initial_epoch_counts_from_there_with_the_optimizers_steps(store: Store) -> None:
    made = model()
    fit(made, epochs=2)
    fit(made, RunloreCallback(), initial_epoch=2, epochs=5)
    series = only(store).metrics["loss"]
    assert (series.epochs.tolist(), series.steps.tolist()) == ([2, 3, 4], [6, 8, 10])


class Pair(keras.Model):
    """Two optimizers of its own, as in Keras's examples of adversarial networks: `optimizer` never steps."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = keras.layers.Dense(1)
        self.first = keras.optimizers.SGD(0.1)

    def call(self, x: Any) -> Any:
        return self.layer(x)

    def train_step(self, *_: Any) -> Any:
        return {"g_loss": 1.0, "d_loss": 2.0}


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="a train_step of jax hands its state on")
def test_where_the_optimizer_stands_still_batches_are_counted(store: Store) -> None:
    made = Pair()
    made.compile()
    made.build((None, 3))
    fit(made, RunloreCallback(), initial_epoch=1)
    assert only(store).metrics["g_loss"].steps.tolist() == [4, 6]


class Unreadable(keras.optimizers.SGD):
    readable = False

    @property
    def iterations(self) -> Any:
        if sys._getframe(1).f_code.co_filename.endswith("_metrics.py") and not self.readable:
            raise RuntimeError("no iterations here")
        return super().iterations


def test_an_optimizer_that_can_not_be_asked_fails_nothing(store: Store) -> None:
    """Asking it for its steps raised, and the whole fit went unrecorded."""
    made = model()
    made.compile(Unreadable(0.1), "mse")
    fit(made, RunloreCallback())
    assert (only(store).status, only(store).metrics["loss"].count) == ("finished", 3)


@pytest.mark.parametrize("place", [0, 1])
def test_what_other_callbacks_add_to_an_epoch_is_recorded(store: Store, place: int) -> None:
    adding = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_f1=epoch / 10, extra=1.0))
    callbacks = [RunloreCallback()]
    callbacks.insert(place, adding)
    fit(model(), callbacks=callbacks)
    run = only(store)
    assert run.metrics["val_f1"].values.tolist() == [0.0, 0.1, 0.2]
    assert (run.metrics["val_f1"].split, run.metrics["extra"].steps.tolist()) == ("val", [2, 4, 6])
    assert run.metrics["val_f1"].epochs.tolist() == [0, 1, 2]


def test_numbers_of_an_evaluation_in_the_fit_have_the_split_of_their_name(store: Store) -> None:
    """What a callback had evaluated on the test set after each epoch counted as a number of the training."""
    made = model()
    names = ("test_loss", "val_f1", "tests", "test")
    adding = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(dict.fromkeys(names, 1.0)))
    fit(made, adding, RunloreCallback())
    splits = {name: series.split for name, series in only(store).metrics.items()}
    assert {name: splits[name] for name in names} == {
        "test_loss": "test", "val_f1": "val", "tests": "train", "test": "train"
    }  # fmt: skip


def test_values_that_callbacks_change_are_those_of_the_history(store: Store) -> None:
    """Only new names were read at the end of an epoch, not values that were changed."""
    changing = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(loss=-1.0))
    history = fit(model(), RunloreCallback(), changing)
    assert only(store).metrics["loss"].values.tolist() == history.history["loss"] == [-1.0] * 3


# The learning rate


@pytest.mark.parametrize("place", [0, 1])
def test_the_learning_rate_is_that_of_the_epoch(store: Store, place: int) -> None:
    callbacks: list[Any] = [keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5**epoch)]
    callbacks.insert(place, RunloreCallback())
    fit(model(), callbacks=callbacks)
    assert only(store).metrics["learning_rate"].values.tolist() == [1.0, 0.5, 0.25]


def test_a_schedule_tells_the_rate_that_it_has_come_to(store: Store) -> None:
    made = model()
    made.compile(keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.5, 0.25])), "mse")
    fit(made, RunloreCallback())
    run = only(store)
    assert run.metrics["learning_rate"].values.tolist() == [0.5, 0.25, 0.25]
    assert run.params["optimizer.learning_rate.name"] == "PiecewiseConstantDecay"


class Drawing(keras.optimizers.schedules.LearningRateSchedule):
    """Counts its calls, and draws."""

    calls = 0

    def __call__(self, step: Any) -> Any:
        type(self).calls += 1
        return float(np.random.uniform(0.001, 0.1))

    def get_config(self) -> dict[str, Any]:
        return {}


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="others trace the schedule")
def test_a_schedule_of_the_users_is_not_called_for_the_record(store: Store) -> None:
    """Reading the learning rate called the schedule once more, which moved its random state."""
    found = []
    for callbacks in ([], [RunloreCallback()]):
        made = model()
        made.compile(keras.optimizers.SGD(Drawing()), "mse")
        Drawing.calls = 0
        fit(made, *callbacks)
        found.append((Drawing.calls, [weight.tobytes() for weight in made.get_weights()]))
    assert found[0] == found[1]
    assert only(store).metrics["loss"].count == 3
