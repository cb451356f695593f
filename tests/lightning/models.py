"""A tiny module, data, a quiet Trainer, and a callback that does something in the midst of a fit."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, TensorDataset

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pytorch_lightning as pl

if TYPE_CHECKING:
    from runlore import Store  # processes import this file before they import runlore

__all__ = ["BATCHES", "ROOT", "At", "Tiny", "checkpoint", "data", "fail", "only", "pl", "trainer"]

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


class At(pl.Callback):  # type: ignore[misc,name-defined]
    """Does something in one hook, once."""

    done: bool

    def __init__(self, hook: str, action: Callable[[Any], object], step: int | None = None) -> None:
        def call(trainer: Any, *_: Any, **__: Any) -> None:
            if (step is None or trainer.global_step == step) and not self.done:
                self.done = True
                action(trainer)

        self.done = False
        setattr(self, hook, call)


def fail(trainer: Any) -> None:
    raise ValueError("mine")


def only(store: "Store") -> Any:
    (run,) = store.runs()
    return run
