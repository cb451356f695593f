"""transformers fulfils the contract of integrations."""

import os
import threading
from pathlib import Path
from typing import Any

from runlore.testing import IntegrationContract, Training

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
MAKING = threading.Lock()  # a Trainer that is made takes accelerate's state, one in a process, from those that train
BOTH_MADE = threading.Barrier(2, timeout=60)


class TestTransformers(IntegrationContract):
    integration = "transformers"
    metric = "loss"
    param = ("learning_rate", 0.001)
    steps = 12
    warm = ("transformers.trainer", "datasets")

    def train(self, training: Training) -> Any:
        from runlore_transformers import RunloreCallback
        from tests.transformers.models import At, trainer

        callbacks = [RunloreCallback()] if training.how == "callback" else []
        steps = self.steps * (2 if training.longer else 1)
        with MAKING:
            made = trainer(
                training.folder, At(7, training.midway), *callbacks, max_steps=steps,
                save_strategy="steps", save_steps=3, lr_scheduler_type="constant",
            )  # fmt: skip
        if threading.current_thread() is not threading.main_thread():  # the test of two trainings at once
            BOTH_MADE.wait()
        made.train(resume_from_checkpoint=None if training.resume_from is None else str(training.resume_from))
        return [parameter.detach().tolist() for parameter in made.model.parameters()]

    def random_states(self) -> Any:
        import torch

        return super().random_states(), torch.get_rng_state().tolist()

    def checkpoint(self, folder: Path) -> Path:
        return max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
