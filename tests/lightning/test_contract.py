"""Lightning fulfils the contract of integrations, under both of its names."""

import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from runlore.testing import IntegrationContract, Training


class Contract(IntegrationContract):
    integration = "lightning"
    metric = "loss"
    param = ("lr", 0.1)
    steps = 12
    follower = None  # Lightning tells ranks: tests/lightning/test_ranks.py
    namespace: ClassVar[str]

    def make(self, training: Training) -> Any:
        pl = self._lightning()
        import runlore_lightning

        pl.seed_everything(1, verbose=False)
        keep = pl.callbacks.ModelCheckpoint(training.folder, filename="{step}", save_last=True, every_n_train_steps=3)
        callbacks = [keep, users(pl, training)]
        return pl.Trainer(
            max_epochs=4, accelerator="cpu", logger=False, log_every_n_steps=1,
            enable_progress_bar=False, enable_model_summary=False,
            callbacks=callbacks + ([runlore_lightning.RunloreCallback()] if training.how == "callback" else []),
        )  # fmt: skip

    def fit(self, trainer: Any, training: Training) -> Any:
        pl = self._lightning()
        pl.seed_everything(1, verbose=False)
        model = tiny(pl, training)
        trainer.fit_loop.max_epochs = 8 if training.longer else 4
        rows = DataLoader(TensorDataset(torch.randn(12, 3)), batch_size=4)
        trainer.fit(model, rows, ckpt_path=training.resume_from)
        return [parameter.detach().tolist() for parameter in model.parameters()]

    def evaluate(self, trainer: Any, training: Training, number: int) -> Mapping[str, float]:
        pl = self._lightning()
        rows = DataLoader(
            TensorDataset(torch.randn(12, 3, generator=torch.Generator().manual_seed(number))), batch_size=4
        )
        if training.resume_from is None:
            return dict(trainer.test(trainer.lightning_module, rows, verbose=False)[0])
        return dict(self.make(training).test(tiny(pl, training), rows, training.resume_from, verbose=False)[0])

    def saved_at(self, checkpoint: Path) -> tuple[int, float | None]:
        state = torch.load(checkpoint, weights_only=True)
        return state["global_step"], state["epoch"]

    def _lightning(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(self.namespace)

    def random_states(self) -> Any:
        return super().random_states(), torch.get_rng_state().tolist()

    def checkpoint(self, folder: Path) -> Path:
        return folder / "last.ckpt"


def tiny(pl: Any, training: Training) -> Any:
    class Tiny(pl.LightningModule):  # type: ignore[misc,name-defined]
        def __init__(self, lr: float = 0.1) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(3, 1)
            self.dropout = torch.nn.Dropout(0.1)

        def setup(self, stage: str) -> None:
            training.early()

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            loss = (self.layer(self.dropout(batch[0])) ** 2).mean()
            self.log("loss", loss)
            unusual = training.unusual()
            if unusual is not None:
                self.log("odd", unusual)
            return loss

        def test_step(self, batch: Any, batch_idx: int) -> None:
            self.log("test_loss", (self.layer(batch[0]) ** 2).mean())

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])

    return Tiny()


def users(pl: Any, training: Training) -> Any:
    class Users(pl.Callback):  # type: ignore[misc,name-defined]
        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
            training.point(trainer.global_step, float(outputs["loss"]))
            if trainer.global_step == 7:
                training.midway()
            if trainer.global_step == 5 and training.stop:
                trainer.should_stop = True

    return Users()


@pytest.mark.stress  # the same code by its other name
class TestPytorchLightning(Contract):
    namespace = "pytorch_lightning"
    warm = ("pytorch_lightning",)


class TestLightning(Contract):
    namespace = "lightning.pytorch"
    warm = ("lightning.pytorch",)
