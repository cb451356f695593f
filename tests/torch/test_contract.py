"""A loop of one's own in torch fulfils the contract of integrations."""

from contextlib import nullcontext
from typing import Any

import pytest

from runlore.testing import IntegrationContract, Training


@pytest.mark.shows("torch", "processes")
@pytest.mark.filterwarnings("ignore:`torch.distributed.reduce_op` is deprecated")  # whoever looks at it
class TestTorch(IntegrationContract):
    integration = "torch"
    metric = "loss"
    param = ("optimizer.lr", 0.05)
    steps = 8
    has_checkpoints = False
    warm = ("torch", "torch.utils.data")

    def train(self, training: Training) -> Any:
        from tests.torch.models import train

        def each(step: int, loss: float) -> None:
            training.point(step, loss, (step - 1) // 4)
            if step == 5:
                training.midway()

        block: Any = nullcontext()
        if training.how == "callback":
            from runlore_torch import RunloreCallback

            block = RunloreCallback()
        with block:
            if training.how != "autolog":  # which knows a loop from its first step on
                training.early()
            return train(4 if training.longer else 2, 0.05, each=each)
