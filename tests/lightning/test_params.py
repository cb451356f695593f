"""How trainer, modules, optimizers and callbacks are set is on record."""

from pathlib import Path
from typing import Any

import pytest
import torch

from runlore import Store
from runlore_lightning import RunloreCallback
from tests.lightning.models import Tiny, checkpoint, data, only, pl, trainer


def test_params_tell_modules_optimizers_schedulers_trainer_and_callbacks(store: Store) -> None:
    class Scheduled(Tiny):
        def configure_optimizers(self) -> Any:
            groups = [{"params": [self.layer.weight]}, {"params": [self.layer.bias], "lr": 0.5}]
            optimizer = torch.optim.Adam(groups, lr=self.hparams["lr"])
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)]

    class Data(pl.LightningDataModule):
        def __init__(self, rows: int = 8) -> None:
            super().__init__()
            self.save_hyperparameters()

        def train_dataloader(self) -> Any:
            return data(2)

    stop = pl.callbacks.EarlyStopping("train_loss", patience=7)
    trainer(RunloreCallback(), stop, gradient_clip_val=0.5).fit(Scheduled(lr=0.25, depth=3), datamodule=Data())
    run = only(store)
    wanted = {
        "lr": 0.25, "depth": 3, "rows": 8, "optimizer.name": "Adam", "optimizer.lr": 0.25, "optimizer.groups": 2,
        "scheduler.name": "StepLR", "scheduler.gamma": 0.5, "scheduler.interval": "epoch", "trainer.max_epochs": 3,
        "trainer.gradient_clip_val": 0.5, "trainer.strategy": "SingleDeviceStrategy",
        "callbacks.EarlyStopping.patience": 7, "callbacks.EarlyStopping.monitor": "train_loss",
        "model.class": "Scheduled", "model.parameters": 4, "model.trainable_parameters": 4,
    }  # fmt: skip
    assert {key: run.params.get(key) for key in wanted} == wanted
    assert run.metrics["lr-Adam/pg2"].values.tolist() == pytest.approx([0.5, 0.5, 0.25])
    assert not any("Runlore" in key for key in run.params)


def test_params_are_there_before_the_first_step(store: Store) -> None:
    class Looking(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            if batch_idx == 0 and self.current_epoch == 0:
                assert only(store).params["lr"] == 0.1
                assert only(store).status == "running"
            return super().training_step(batch, batch_idx)

    trainer(RunloreCallback(), max_epochs=1).fit(Looking(), data())
    assert only(store).status == "finished"


def test_a_lazy_module_has_the_counts_that_are_known(store: Store) -> None:
    class Lazy(Tiny):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.LazyLinear(1)  # type: ignore[assignment]
            self.known = torch.nn.Linear(2, 2)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.known.parameters(), lr=0.1)

    model = Lazy()
    trainer(RunloreCallback(), max_epochs=1).fit(model, data())
    assert only(store).params["model.parameters"] == 6


def test_one_callback_that_can_not_be_asked_costs_no_other_param(store: Store) -> None:
    """One property that raised cost all params."""

    class Odd(pl.Callback):  # type: ignore[misc,name-defined]
        def __init__(self, writer: Any = None) -> None:
            pass

        @property
        def writer(self) -> Any:
            raise RuntimeError("not set up")

    trainer(RunloreCallback(), Odd(), max_epochs=1).fit(Tiny(), data())
    run = store.runs()[0]
    assert (run.params["lr"], run.params["trainer.max_epochs"], run.missing) == (0.1, 1, [])


def test_params_of_the_optimizer_are_those_that_the_checkpoint_brought(store: Store, tmp_path: Path) -> None:
    """The params told the rate that was set, which the checkpoint had replaced."""

    def fit(lr: float, epochs: int, **settings: Any) -> Any:
        keep = checkpoint(tmp_path / "ck", save_last=True)
        made = trainer(RunloreCallback(), keep, enable_checkpointing=True, max_epochs=epochs)
        made.fit(Tiny(lr=lr), data(), **settings)
        return store.runs()[0]

    fit(0.5, 1)
    run = fit(0.1, 2, ckpt_path=tmp_path / "ck" / "last.ckpt")
    assert (run.params["lr"], run.params["optimizer.lr"], run.metrics["lr-SGD"].last) == (0.1, 0.5, 0.5)
