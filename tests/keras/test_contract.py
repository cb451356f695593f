"""Keras fulfils the contract of integrations, on the backend that the process has."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from runlore.testing import IntegrationContract, Training

os.environ.setdefault("KERAS_BACKEND", "torch")


class TestKeras(IntegrationContract):
    integration = "keras"
    metric = "loss"
    param = ("optimizer.learning_rate", 0.125)
    steps = 12
    warm = ("keras",)

    def train(self, training: Training) -> Any:
        import keras

        from runlore_keras import RunloreCallback

        keras.utils.set_random_seed(1)
        calling = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: epoch == 6 and training.midway())
        callbacks = [keras.callbacks.ModelCheckpoint(training.folder / "newest.keras"), calling]
        rows = np.random.default_rng(1).normal(size=(8, 3)).astype("float32")
        begin = 0
        if training.resume_from is None:
            model = keras.Sequential([keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)])
            model.compile(keras.optimizers.SGD(0.125), "mse")
        else:
            model = keras.models.load_model(training.resume_from)
            begin = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
        model.fit(
            rows, rows.sum(1, keepdims=True), batch_size=8, initial_epoch=begin, verbose=0,
            epochs=self.steps * (2 if training.longer else 1),
            callbacks=[RunloreCallback(), *callbacks] if training.how == "callback" else callbacks,
        )  # fmt: skip
        return [weight.tolist() for weight in model.get_weights()]

    def random_states(self) -> Any:
        import keras

        seeds = keras.random.SeedGenerator  # the global one has a state of its own
        found = keras.src.backend.common.global_state.get_global_attribute("global_seed_generator")
        state = found.state.numpy().tolist() if isinstance(found, seeds) and hasattr(found.state, "numpy") else None
        return super().random_states(), state, torch_state()

    def checkpoint(self, folder: Path) -> Path:
        return folder / "newest.keras"


def torch_state() -> Any:
    import sys

    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_rng_state().tolist()
