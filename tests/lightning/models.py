"""A tiny module, data and a quiet Trainer, in the namespace that is asked for."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pytorch_lightning as pl

__all__ = ["BATCHES", "ROOT", "Tiny", "checkpoint", "data", "pl", "trainer"]

BATCHES = 10
ROOT = str(Path(__file__).parent.parent.parent)  # for the PYTHONPATH of child processes


class Tiny(pl.LightningModule):
    def __init__(self, lr: float = 0.1, depth: int = 1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(3, 1)

    def loss(self, batch: Any) -> torch.Tensor:
        return (self.layer(batch[0]) ** 2).mean()

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.log("test_loss", self.loss(batch))

    def forward(self, batch: Any) -> torch.Tensor:
        return self.layer(batch[0])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])


def data(batches: int = BATCHES) -> Any:
    torch.manual_seed(7)
    return DataLoader(TensorDataset(torch.randn(batches * 4, 3)), batch_size=4)


def trainer(*callbacks: Any, **settings: Any) -> Any:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    chosen = {"max_epochs": 3, "log_every_n_steps": 1, "enable_checkpointing": False, "num_sanity_val_steps": 2}
    return pl.Trainer(callbacks=list(callbacks), **{**quiet, **chosen, **settings})


def checkpoint(folder: Path, **settings: Any) -> Any:
    return pl.callbacks.ModelCheckpoint(dirpath=folder, **settings)
