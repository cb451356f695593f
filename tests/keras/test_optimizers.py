"""The optimizers that step: their settings, each under its own name, and their learning rates."""

import warnings
from typing import Any

import keras
import pytest

from runlore import Store
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only

only_torch = pytest.mark.skipif(keras.backend.backend() != "torch", reason="the steps are written for torch")


class Own(keras.Model):
    """Steps the optimizers that it holds, and never the one of `compile`."""

    def __init__(self, **optimizers: Any) -> None:
        super().__init__()
        self.layer = keras.layers.Dense(1)
        self.names = list(optimizers)
        for name, optimizer in optimizers.items():
            setattr(self, name, optimizer)
        self.unused = keras.optimizers.Adam(0.5)

    def call(self, x: Any) -> Any:
        return self.layer(x)

    def train_step(self, batch: Any) -> Any:
        for name in self.names:
            self.zero_grad()
            loss = keras.ops.mean(self(batch[0]) ** 2)
            loss.backward()
            optimizer = getattr(self, name)
            if isinstance(optimizer, keras.optimizers.Optimizer):
                gradients = [weight.value.grad for weight in self.trainable_weights]
                with keras.src.backend.torch.core.torch.no_grad():
                    optimizer.apply(gradients, self.trainable_weights)
            else:
                optimizer.step()
        return {"loss": loss}


def fitted(made: Any, *compiled: Any) -> None:
    made.compile(*compiled)
    made.build((None, 3))
    fit(made, RunloreCallback())


@only_torch
def test_an_optimizer_of_the_models_own_is_told_instead_of_kerass_default(store: Store) -> None:
    """RMSprop, which `compile` takes where it is given nothing, was told as a fact, with a curve."""
    fitted(Own(mine=keras.optimizers.SGD(0.125)))
    run = only(store)
    assert (run.params["optimizer.name"], run.params["optimizer.learning_rate"]) == ("SGD", 0.125)
    assert run.metrics["learning_rate"].values.tolist() == [0.125] * 3
    assert not [name for name in run.params if name.startswith("optimizers")]


@only_torch
def test_several_optimizers_are_told_by_their_names(store: Store) -> None:
    fitted(Own(first=keras.optimizers.SGD(0.125), second=keras.optimizers.Adam(0.25)))
    run = only(store)
    assert {name: value for name, value in run.params.items() if name.startswith("opt") and name.endswith(".name")} == {
        "optimizers.first.name": "SGD", "optimizers.second.name": "Adam",
    }  # fmt: skip
    assert run.metrics["learning_rate/first"].values.tolist() == [0.125] * 3
    assert run.metrics["learning_rate/second"].values.tolist() == [0.25] * 3
    assert not {"learning_rate", "learning_rate/unused", "optimizer.name"} & {*run.metrics, *run.params}


@only_torch
def test_an_optimizer_of_torch_is_told(store: Store) -> None:
    import torch

    made = Own(mine=None)
    made(keras.ops.ones((1, 3)))
    made.mine = torch.optim.SGD(made.parameters(), lr=0.125, momentum=0.5)
    fitted(made)
    run = only(store)
    assert (run.params["optimizer.name"], run.params["optimizer.momentum"]) == ("SGD", 0.5)
    assert run.metrics["learning_rate"].values.tolist() == [0.125] * 3


@only_torch
def test_the_compiled_optimizer_of_an_own_step_is_told(store: Store) -> None:
    class Plain(Own):
        def __init__(self) -> None:
            super().__init__()
            self.names = ["optimizer"]

    fitted(Plain(), keras.optimizers.SGD(0.125))
    assert only(store).params["optimizer.name"] == "SGD"
    fitted(Plain())
    run = store.runs()[0]
    assert run.params["optimizer.name"] == "RMSprop"
    assert [round(rate, 6) for rate in run.metrics["learning_rate"].values] == [0.001] * 3


@only_torch
def test_models_in_a_model_bring_their_optimizers(store: Store) -> None:
    class Pair(Own):
        def __init__(self) -> None:
            super().__init__()
            self.generator, self.frozen = model(0.25), model()

        def train_step(self, batch: Any) -> Any:
            return {"g_loss": self.generator.train_on_batch(*batch)[0]}

    fitted(Pair())
    assert (only(store).params["optimizer.name"], only(store).params["optimizer.learning_rate"]) == ("SGD", 0.25)


def test_a_loss_scale_is_beside_the_optimizer_that_it_is_for(store: Store) -> None:
    made = model()
    made.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.125), initial_scale=8.0), "mse")
    fit(made, RunloreCallback())
    run = only(store)
    assert (run.params["optimizer.name"], run.params["optimizer.learning_rate"]) == ("SGD", 0.125)
    assert run.params["optimizer.loss_scale.initial_scale"] == 8.0
    assert run.metrics["learning_rate"].values.tolist() == [0.125] * 3
    assert run.metrics["loss"].steps.tolist() == [2, 4, 6]


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras has none in this version")
def test_the_optimizers_in_another_one_are_told(store: Store) -> None:
    made = model()
    chosen = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.125))
    chosen[made.layers[0].kernel.path] = keras.optimizers.Adam(0.25)
    with warnings.catch_warnings(action="ignore"):
        made.compile(keras.optimizers.MultiOptimizer(chosen), "mse")
        fit(made, RunloreCallback())
    run = only(store)
    assert run.params["optimizer.name"] == "MultiOptimizer"
    assert (run.params["optimizer.sgd.name"], run.params["optimizer.adam.learning_rate"]) == ("SGD", 0.25)
    assert run.metrics["learning_rate/sgd"].values.tolist() == [0.125] * 3
    assert run.metrics["learning_rate/adam"].values.tolist() == [0.25] * 3
    assert "learning_rate" not in run.metrics


class Chained(keras.optimizers.SGD):
    """A wrapper of the user's."""

    def __init__(self, inner: Any) -> None:
        super().__init__(0.5)
        self.inner = inner

    def apply(self, *args: Any) -> Any:
        return self.inner.apply(*args)

    @property
    def iterations(self) -> Any:
        return self.inner.iterations if hasattr(self, "inner") else super().iterations


@only_torch
def test_a_wrapper_of_the_users_is_told_with_what_it_wraps(store: Store) -> None:
    made = model()
    made.compile(Chained(keras.optimizers.SGD(0.125)), "mse")
    fit(made, RunloreCallback())
    run = only(store)
    assert (run.params["optimizer.name"], run.params["optimizer.sgd.learning_rate"]) == ("Chained", 0.125)
    assert run.metrics["learning_rate"].values.tolist() == [0.125] * 3
