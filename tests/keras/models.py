"""Small models and data, and what tests ask of them."""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # noqa: E402  # the backend is chosen when it is imported
import numpy as np  # noqa: E402

from runlore import Store  # noqa: E402

ROOT = str(Path(__file__).parent.parent.parent)


def rows(count: int = 16) -> tuple[Any, Any]:
    x = np.random.default_rng(1).normal(size=(count, 3)).astype("float32")
    return x, x.sum(1, keepdims=True)


def model(rate: float = 0.125, name: str | None = None, **settings: Any) -> Any:
    keras.utils.set_random_seed(1)
    layers = [keras.Input((3,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)]
    made = keras.Sequential(layers, name=name)
    made.compile(keras.optimizers.SGD(rate), "mse", metrics=["mae"], **settings)
    return made


def fit(made: Any, *callbacks: Any, **settings: Any) -> Any:
    x, y = rows()
    return made.fit(x, y, **{"batch_size": 8, "epochs": 3, "verbose": 0, "callbacks": list(callbacks), **settings})


def only(store: Store) -> Any:
    (run,) = store.runs()
    return run


def when(epoch: int, action: Any) -> Any:
    """A callback that acts at the end of an epoch."""
    return keras.callbacks.LambdaCallback(on_epoch_end=lambda number, logs: action() if number == epoch else None)


def worsening(at: int) -> Any:
    """A callback that lets the training diverge from an epoch on."""
    made: Any = keras.callbacks.LambdaCallback()

    def on_epoch_begin(epoch: int, logs: Any = None) -> None:
        if epoch == at:
            made.model.optimizer.learning_rate = 50.0

    made.on_epoch_begin = on_epoch_begin
    return made
