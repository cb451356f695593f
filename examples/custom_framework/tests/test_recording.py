"""tinynet fulfils runlore's contract of integrations."""

from pathlib import Path
from typing import Any

import numpy as np
from runlore.testing import IntegrationContract, Training

from tinynet import Callback, Settings, Trainer
from tinynet.recording import RunloreCallback


class Midway(Callback):
    def __init__(self, training: Training) -> None:
        self._training = training

    def on_step_end(self, trainer: Trainer, loss: float) -> None:
        if trainer.step == 7:
            self._training.midway()


class TestTinynet(IntegrationContract):
    integration = "tinynet"
    metric = "loss"
    param = ("hidden", 8)
    steps = 16

    def train(self, training: Training) -> Any:
        X = np.random.default_rng(1).normal(size=(64, 3))
        settings = Settings(epochs=8 if training.longer else 4)
        own = [RunloreCallback()] if training.how == "callback" else []
        trainer = Trainer(settings, [Midway(training), *own], training.folder)
        net = trainer.fit(X, X[:, 0], training.resume_from)
        return {name: value.tolist() for name, value in net.weights.items()}

    def checkpoint(self, folder: Path) -> Path:
        return max(folder.glob("epoch-*.npz"))
