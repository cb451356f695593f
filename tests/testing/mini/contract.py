"""The framework fulfils the contract of integrations."""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runlore.testing import IntegrationContract, Training

DATA = (1.0, 2.0, 3.0, 4.0)


class TestMini(IntegrationContract):
    integration = "mini"
    metric = "loss"
    param = ("lr", 0.25)
    steps = 16
    hows = ("autolog",)

    def make(self, training: Training) -> Any:
        from .framework import Trainer

        trainer = Trainer(folder=training.folder)
        trainer.on("setup", lambda _: training.early())
        trainer.on("step", lambda trainer: after_step(trainer, training))
        return trainer

    def fit(self, trainer: Any, training: Training) -> Any:
        random.seed(1)
        trainer.epochs = 8 if training.longer else 4
        trainer.fit(DATA, training.resume_from)
        return trainer.weight, trainer.history, trainer.loss

    def iterate(self, training: Training) -> Iterator[object]:
        yield from self.make(training).steps(DATA)

    def checkpoint(self, folder: Path) -> Path:
        return max(folder.glob("*.json"))

    def saved_at(self, checkpoint: Path) -> tuple[int, float | None]:
        state = json.loads(checkpoint.read_text())
        return state["step"], state["epoch"]

    def evaluate(self, trainer: Any, training: Training, number: int) -> Mapping[str, float]:
        if training.resume_from is not None:
            trainer = self.make(training)
            trainer.load(training.resume_from)
        found: Mapping[str, float] = trainer.evaluate([float(number), 5.0])
        return found


def after_step(trainer: Any, training: Training) -> None:
    training.point(trainer.step, trainer.loss, trainer.epoch)
    unusual = training.unusual()
    if unusual is not None:
        trainer.metrics["odd"] = unusual
    if trainer.step == 14:
        training.midway()
    if training.stop and trainer.step == 7:
        trainer.stop("the loss is low enough")
