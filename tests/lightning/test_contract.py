"""Lightning fulfils the contract of integrations, under both of its names."""

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch.utils.data import DataLoader, TensorDataset

from runlore.testing import IntegrationContract, Training


class Contract(IntegrationContract):
    integration = "lightning"
    metric = "loss"
    param = ("lr", 0.1)
    steps = 12
    namespace: ClassVar[str]

    def train(self, training: Training) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pl = import_module(self.namespace)
        from runlore_lightning import RunloreCallback

        pl.seed_everything(1, verbose=False)
        model = tiny(pl)
        calling = midway(pl, training, 7)
        keep = pl.callbacks.ModelCheckpoint(training.folder, filename="{step}", save_last=True, every_n_train_steps=3)
        callbacks = [keep, calling] + ([RunloreCallback()] if training.how == "callback" else [])
        trainer = pl.Trainer(
            max_epochs=8 if training.longer else 4, accelerator="cpu", logger=False, log_every_n_steps=1,
            enable_progress_bar=False, enable_model_summary=False, callbacks=callbacks,
        )  # fmt: skip
        rows = DataLoader(TensorDataset(torch.randn(12, 3)), batch_size=4)
        trainer.fit(model, rows, ckpt_path=training.resume_from)
        return [parameter.detach().tolist() for parameter in model.parameters()]

    def random_states(self) -> Any:
        return super().random_states(), torch.get_rng_state().tolist()

    def checkpoint(self, folder: Path) -> Path:
        return folder / "last.ckpt"


def tiny(pl: Any) -> Any:
    class Tiny(pl.LightningModule):  # type: ignore[misc,name-defined]
        def __init__(self, lr: float = 0.1) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(3, 1)

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            loss = (self.layer(batch[0]) ** 2).mean()
            self.log("loss", loss)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])

    return Tiny()


def midway(pl: Any, training: Training, step: int) -> Any:
    class Midway(pl.Callback):  # type: ignore[misc,name-defined]
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == step:
                training.midway()

    return Midway()


class TestPytorchLightning(Contract):
    namespace = "pytorch_lightning"
    warm = ("pytorch_lightning",)


class TestLightning(Contract):
    namespace = "lightning.pytorch"
    warm = ("lightning.pytorch",)
