"""transformers fulfils the contract of integrations."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runlore.testing import IntegrationContract, Training

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


class TestTransformers(IntegrationContract):
    integration = "transformers"
    metric = "loss"
    param = ("learning_rate", 0.001)
    steps = 12
    warm = ("transformers.trainer", "datasets")
    follower = None  # accelerate tells ranks: tests/transformers/test_processes.py

    def make(self, training: Training) -> Any:
        import runlore_transformers
        from tests.transformers.models import trainer

        callbacks = [runlore_transformers.RunloreCallback()] if training.how == "callback" else []
        return trainer(
            training.folder, users(training), *callbacks, max_steps=self.steps,
            save_strategy="steps", save_steps=3, save_total_limit=1, lr_scheduler_type="constant",
        )  # fmt: skip

    def fit(self, trainer: Any, training: Training) -> Any:
        trainer.args.max_steps = self.steps * (2 if training.longer else 1)
        trainer.train(resume_from_checkpoint=None if training.resume_from is None else str(training.resume_from))
        return [parameter.detach().tolist() for parameter in trainer.model.parameters()]

    def evaluate(self, trainer: Any, training: Training, number: int) -> Mapping[str, float]:
        from transformers import BertForSequenceClassification

        from tests.transformers.models import Rows

        if training.resume_from is not None:
            trainer = self.make(training)
            trainer.model = BertForSequenceClassification.from_pretrained(training.resume_from)
        return {"loss": trainer.evaluate(Rows(8 + number))["eval_loss"]}

    def saved_at(self, checkpoint: Path) -> tuple[int, float | None]:
        state = json.loads((checkpoint / "trainer_state.json").read_text())
        return state["global_step"], state["epoch"]

    def random_states(self) -> Any:
        import torch

        return super().random_states(), torch.get_rng_state().tolist()

    def checkpoint(self, folder: Path) -> Path:
        return max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))


def users(training: Training) -> Any:
    from transformers import TrainerCallback

    class Users(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            training.early()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" in logs:
                training.point(state.global_step, logs["loss"], logs["epoch"])

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 7:
                training.midway()
            if state.global_step == 5 and training.stop:
                control.should_training_stop = True

    return Users()
