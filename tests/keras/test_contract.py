"""Keras fulfils the contract of integrations, on the backend that the process has."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runlore.testing import IntegrationContract, Training

os.environ.setdefault("KERAS_BACKEND", "torch")
ROWS = np.random.default_rng(1).normal(size=(8, 3)).astype("float32")


@pytest.mark.shows("keras", "processes")
class TestKeras(IntegrationContract):
    integration = "keras"
    metric = "loss"
    param = ("optimizer.learning_rate", 0.125)
    steps = 12
    warm = ("keras",)

    def make(self, training: Training) -> Any:
        import keras

        keras.utils.set_random_seed(1)
        if training.resume_from is not None:
            import runlore_keras  # noqa: F401  # or nobody would see what is loaded

            return keras.models.load_model(training.resume_from)
        layers = [keras.layers.Dense(4, activation="relu"), keras.layers.Dropout(0.1), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        model.compile(keras.optimizers.SGD(0.125), "mse")
        return model

    def fit(self, trainer: Any, training: Training) -> Any:
        import keras

        import runlore_keras

        own = runlore_keras if training.how == "callback" else None  # its callback is named as late as users may
        begin = 0 if training.resume_from is None else int(keras.ops.convert_to_numpy(trainer.optimizer.iterations))
        history = trainer.fit(
            ROWS, ROWS.sum(1, keepdims=True), batch_size=8, initial_epoch=begin, verbose=0,
            epochs=self.steps * (2 if training.longer else 1),
            callbacks=[
                *([own.RunloreCallback()] if own else []),
                keras.callbacks.ModelCheckpoint(training.folder / "newest.keras"),
                *users(training),
            ],
        )  # fmt: skip
        return [weight.tolist() for weight in trainer.get_weights()], history.history

    def evaluate(self, trainer: Any, training: Training, number: int) -> Mapping[str, float]:
        model = self.make(training) if training.resume_from is not None else trainer
        rows = np.random.default_rng([2, number]).normal(size=(8, 3)).astype("float32")
        return {"loss": float(model.evaluate(rows, rows.sum(1, keepdims=True), verbose=0))}

    def saved_at(self, checkpoint: Path) -> tuple[int, float | None]:
        import keras

        step = int(keras.ops.convert_to_numpy(keras.models.load_model(checkpoint).optimizer.iterations))
        return step, None

    def random_states(self) -> Any:
        import keras

        seeds = keras.random.SeedGenerator  # the global one has a state of its own
        found = keras.src.backend.common.global_state.get_global_attribute("global_seed_generator")
        state = found.state.numpy().tolist() if isinstance(found, seeds) and hasattr(found.state, "numpy") else None
        return super().random_states(), state, torch_state()

    def checkpoint(self, folder: Path) -> Path:
        return folder / "newest.keras"


def users(training: Training) -> list[Any]:
    import keras

    class Users(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        def on_train_begin(self, logs: Any = None) -> None:
            training.early()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            training.point(int(self.model.optimizer.iterations), logs["loss"], epoch)
            unusual = training.unusual()
            if unusual is not None:
                logs["odd"] = unusual
            if epoch == 6:
                training.midway()
            if epoch == 4 and training.stop:
                self.model.stop_training = True

    return [Users()]


def torch_state() -> Any:
    import sys

    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_rng_state().tolist()
