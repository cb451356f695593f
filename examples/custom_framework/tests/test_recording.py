"""tinynet fulfils runlore's contract of integrations."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from runlore.testing import IntegrationContract, Training

from tinynet import Callback, Settings, Trainer


class User(Callback):
    """What users' own callbacks do."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def on_fit_start(self, trainer: Trainer, resume_from: Path | None) -> None:
        self._training.early()

    def on_step_end(self, trainer: Trainer, loss: float) -> None:
        self._training.point(trainer.step, loss, trainer.epoch)
        unusual = self._training.unusual()
        if unusual is not None:
            trainer.metrics["odd"] = unusual
        if trainer.step == 15:
            self._training.midway()
        if trainer.step == 7 and self._training.stop:
            trainer.stop("the loss is low enough")


class TestTinynet(IntegrationContract):
    integration = "tinynet"
    metric = "loss"
    param = ("hidden", 8)
    steps = 16

    def make(self, training: Training) -> Any:
        import runlore_tinynet

        own = [runlore_tinynet.RunloreCallback()] if training.how == "callback" else []
        return Trainer(Settings(), [User(training), *own], training.folder)

    def fit(self, trainer: Any, training: Training) -> Any:
        trainer.settings = replace(trainer.settings, epochs=8 if training.longer else 4)
        X = np.random.default_rng(1).normal(size=(64, 3))
        net = trainer.fit(X, X[:, 0], training.resume_from)
        return {name: value.tolist() for name, value in net.weights.items()}

    def checkpoint(self, folder: Path) -> Path:
        return max(folder.glob("epoch-*.npz"))

    def saved_at(self, checkpoint: Path) -> tuple[int, float | None]:
        with np.load(checkpoint) as content:
            state = json.loads(content["state"].tobytes())
        return state["step"], state["epoch"]

    def evaluate(self, trainer: Any, training: Training, number: int) -> Mapping[str, float]:
        if training.resume_from is not None:
            trainer = self.make(training)
            trainer.load(training.resume_from)
        X = np.random.default_rng([2, number]).normal(size=(8, 3))
        return trainer.evaluate(X, X[:, 0])
