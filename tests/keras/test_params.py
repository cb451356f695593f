"""Params: the model, its optimizer, its layers, the arguments of `compile` and `fit`, the callbacks."""

from typing import Any

import keras
import pytest

from runlore import Store
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only


@pytest.mark.shows("keras", "params")
def test_params_tell_how_everything_was_set(store: Store) -> None:
    made = model()
    stopping = keras.callbacks.EarlyStopping("loss", patience=7)
    fit(made, RunloreCallback(), stopping, class_weight={0: 1.0, 1: 2.0}, validation_split=0.25)
    params = only(store).params
    expected = {
        "optimizer.name": "SGD", "optimizer.learning_rate": 0.125, "optimizer.momentum": 0.0, "compile.loss": "mse",
        "compile.metrics": ["mae"], "fit.epochs": 3, "fit.batch_size": 8, "fit.validation_split": 0.25,
        "fit.class_weight.1": 2.0, "fit.shuffle": True, "model.class": "Sequential", "model.parameters": 21,
        "model.trainable_parameters": 21, "layers.0.class": "Dense", "layers.0.units": 4, "layers.0.activation": "relu",
        "callbacks.EarlyStopping.patience": 7, "model.backend": keras.backend.backend(),
    }  # fmt: skip
    assert {name: params.get(name) for name in expected} == expected
    assert not [name for name in params if name.startswith(("fit.x", "fit.y", "fit.callbacks"))]


def test_objects_in_compile_are_told_by_class_and_settings(store: Store) -> None:
    made = model()
    made.compile(
        keras.optimizers.Adam(clipnorm=1.0),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.AUC()],
    )
    fit(made, RunloreCallback())
    params = only(store).params
    assert (params["compile.loss.name"], params["compile.loss.from_logits"]) == ("BinaryCrossentropy", True)
    assert params["compile.metrics"] == ["AUC"]
    assert (params["optimizer.clipnorm"], params["optimizer.learning_rate"]) == (1.0, 0.001)


def test_a_loss_that_is_no_serializable_object_costs_only_itself(store: Store) -> None:
    made = model()
    made.compile("sgd", eval("lambda y, scores: scores - y", {}))  # without source code
    fit(made, RunloreCallback())
    run = only(store)
    assert (run.status, run.params["optimizer.name"], run.params["model.parameters"]) == ("finished", "SGD", 21)
    assert run.params["compile.loss"] == "<lambda>"
    assert run.missing == []


class BadLoss(keras.losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean((y_true - y_pred) ** 2)

    def get_config(self) -> Any:
        raise ValueError("can't be told")


def test_a_loss_of_the_users_costs_nothing_else(store: Store) -> None:
    """A loss that can't be serialized took the other arguments of `compile` with it."""
    made = model()
    made.compile("sgd", BadLoss(), metrics=["mae"])
    fit(made, RunloreCallback())
    params = only(store).params
    assert (params["compile.loss"], params["compile.metrics"]) == ("BadLoss", ["mae"])


class Nosy(keras.layers.Layer):
    """A layer that can't be asked how it was made."""

    def get_config(self) -> Any:
        raise KeyboardInterrupt

    def call(self, x: Any) -> Any:
        return x


def test_a_layer_of_the_users_is_asked_nothing(store: Store) -> None:
    """`get_config` of a layer was called for the record, and may raise anything."""
    made = keras.Sequential([keras.Input((3,)), Nosy(), keras.layers.Dense(1, activation="relu")])
    made.compile("sgd", "mse")
    fit(made, RunloreCallback())
    params = only(store).params
    assert (params["layers.0.class"], params["layers.1.activation"]) == ("Nosy", "relu")


def test_a_model_that_is_built_lazily_is_recorded(store: Store) -> None:
    made = keras.Sequential([keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    fit(made, RunloreCallback())
    assert (only(store).params["model.parameters"], only(store).params["layers.0.units"]) == (4, 1)


def test_arguments_that_were_written_are_told_from_defaults(store: Store) -> None:
    made = model()
    made.compile(keras.optimizers.SGD(0.125), keras.losses.BinaryCrossentropy(from_logits=True))
    fit(made, RunloreCallback(), keras.callbacks.EarlyStopping("loss", patience=7), validation_split=0.25)
    run = only(store)
    assert set(run.params) - run.captured == {
        "optimizer.name", "optimizer.learning_rate", "compile.loss.name", "compile.loss.from_logits", "fit.epochs",
        "fit.batch_size", "fit.validation_split", "layers.0.units", "layers.0.activation", "layers.1.units",
        "callbacks.EarlyStopping.monitor", "callbacks.EarlyStopping.patience",
    }  # fmt: skip
    assert {"fit.shuffle", "optimizer.momentum", "model.parameters", "layers.0.class"} <= run.captured


TRAINER = next(cls for cls in keras.Model.__mro__ if "fit" in vars(cls))


class NoModel(TRAINER, keras.layers.Dense):  # type: ignore[misc, valid-type]
    """A layer with a Trainer is all that a fit needs."""

    def __init__(self) -> None:
        keras.layers.Dense.__init__(self, 1)
        TRAINER.__init__(self)


def test_a_trainer_that_is_no_model_has_params(store: Store) -> None:
    """It has no list of layers, and the params of the model were missing."""
    made = NoModel()
    made.compile("sgd", "mse")
    fit(made, RunloreCallback())
    run = only(store)
    assert (run.missing, run.params["model.parameters"], run.params["model.class"]) == ([], 4, "NoModel")
    assert "model.layers" not in run.params
