"""Params: the model, its optimizer, its layers, the arguments of `compile` and `fit`, the callbacks."""

from typing import Any

import keras

from runlore import Store
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only


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
