"""How trainer, modules, optimizers and callbacks are set is on record."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from runlore import Store
from runlore_lightning import RunloreCallback
from tests.lightning.models import At, Tiny, checkpoint, data, only, pl, trainer


@pytest.mark.shows("lightning", "params")
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
    assert run.metrics["lr-Adam/pg2"].values.tolist() == [0.5] * 4 + [0.25] * 3
    assert run.params["optimizer.pg2.lr"] == 0.5
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


def test_what_was_passed_is_told_from_what_lightning_works_out(store: Store) -> None:
    stop = pl.callbacks.EarlyStopping("train_loss", patience=7)
    trainer(RunloreCallback(), stop, gradient_clip_val=0.5, log_every_n_steps=50).fit(Tiny(lr=0.25, depth=3), data())
    run = only(store)
    assert set(run.params) - run.captured == {
        "lr", "depth", "optimizer.name", "optimizer.lr", "trainer.max_epochs", "trainer.gradient_clip_val",
        "callbacks.EarlyStopping.monitor", "callbacks.EarlyStopping.patience",
    }  # fmt: skip
    assert {"optimizer.momentum", "trainer.precision", "model.parameters", "trainer.max_steps"} <= run.captured


def test_a_trainer_without_arguments_was_passed_none(store: Store) -> None:
    trainer(RunloreCallback(), max_epochs=None, max_steps=2, log_every_n_steps=None).fit(Tiny(), data())
    run = only(store)
    assert {key for key in run.params.keys() - run.captured if key.startswith("trainer.")} == {"trainer.max_steps"}


def test_hyperparameters_are_those_that_training_began_with(store: Store) -> None:
    """They were told as they had been when the module was made."""

    class Late(pl.Callback):  # type: ignore[misc,name-defined]
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            pl_module.hparams["depth"] = 9

    model = Tiny(lr=0.01)
    model.hparams.update(lr=0.5, _instantiator="of a command line", _class_path="Tiny")
    trainer(RunloreCallback(), Late(), max_epochs=1).fit(model, data())
    run = only(store)
    assert (run.params["lr"], run.params["depth"], run.params["optimizer.lr"]) == (0.5, 9, 0.5)
    assert not any(name.startswith("_") for name in run.params)


def test_groups_of_parameters_have_their_own_names_and_rates(store: Store) -> None:
    """A group's name replaced that of the optimizer, and the rates of all but the first were in no params."""

    class Named(Tiny):
        def configure_optimizers(self) -> Any:
            groups = [{"params": [self.layer.weight], "name": "weights"}, {"params": [self.layer.bias], "lr": 0.5}]
            return torch.optim.SGD(groups, lr=0.25, momentum=0.9)

    rates = pl.callbacks.LearningRateMonitor("step")
    made = trainer(RunloreCallback(), rates, logger=pl.loggers.CSVLogger(store.root.parent), max_epochs=1)
    made.fit(Named(), data())
    run = only(store)
    found = {
        name: value for name, value in run.params.items() if name.startswith("optimizer") and name not in run.captured
    }
    assert found == {
        "optimizer.name": "SGD", "optimizer.lr": 0.25, "optimizer.momentum": 0.9, "optimizer.weights.lr": 0.25,
        "optimizer.pg2.lr": 0.5,
    }  # fmt: skip
    assert {name for name in run.metrics if name.startswith("lr-")} == rates.lrs.keys()
    assert run.metrics["lr-SGD/pg2"].values.tolist() == [0.5] * 11


def test_rates_are_named_as_the_learning_rate_monitor_names_them(store: Store) -> None:
    class Several(Tiny):
        automatic_optimization = False

        def configure_optimizers(self) -> Any:
            found = [torch.optim.SGD([parameter], lr=0.25) for parameter in (self.layer.weight, self.layer.bias)]
            schedulers = [torch.optim.lr_scheduler.StepLR(item, 1) for item in found]
            return found, [schedulers[0], {"scheduler": schedulers[1], "name": "slow"}]

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            for optimizer in self.optimizers():  # type: ignore[union-attr]
                optimizer.step()

    rates = pl.callbacks.LearningRateMonitor("step")
    made = trainer(RunloreCallback(), rates, logger=pl.loggers.CSVLogger(store.root.parent), max_epochs=1)
    made.fit(Several(), data(2))
    assert {name for name in only(store).metrics if "lr" in name or "slow" in name} == rates.lrs.keys()


def test_a_group_that_is_added_midway_is_told(store: Store) -> None:
    class Growing(Tiny):
        def configure_optimizers(self) -> Any:
            return torch.optim.SGD([self.layer.weight], lr=0.25)

        def on_train_epoch_start(self) -> None:
            if self.current_epoch == 1:
                self.optimizers().add_param_group({"params": [self.layer.bias], "lr": 0.5, "name": "late"})

    trainer(RunloreCallback(), max_epochs=2).fit(Growing(), data(2))
    run = only(store)
    assert (run.params["optimizer.late.lr"], run.params["optimizer.groups"]) == (0.5, 2)
    assert run.metrics["lr-SGD/late"].steps.tolist() == [2, 3, 4]


def test_optimizers_that_the_module_steps_itself_are_told(store: Store, tmp_path: Path) -> None:
    """Where it configured none, the record named a stand-in of Lightning's."""

    class Own(Tiny):
        automatic_optimization = False

        def configure_optimizers(self) -> None:
            self.own = torch.optim.Adam(self.parameters(), lr=0.125)

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            self.own.step()
            return super().training_step(batch, batch_idx)

    hooks = sys.modules["torch.optim.optimizer"]._global_optimizer_post_hooks
    save = At("on_train_end", lambda trainer: trainer.save_checkpoint(tmp_path / "own.ckpt"))
    trainer(RunloreCallback(), save, max_epochs=1).fit(Own(), data(3))
    run = only(store)
    assert (run.params["optimizer.name"], run.params["optimizer.lr"]) == ("Adam", 0.125)
    assert run.metrics["lr-Adam"].values.tolist() == [0.125] * 3
    assert run.metrics["train_loss_step"].steps.tolist() == [1, 2, 3]  # Lightning counts no steps of theirs
    assert run.artifact("own.ckpt").step == 3
    assert not hooks


def test_a_warm_up_by_step_has_a_curve(store: Store) -> None:
    """The rate was told at the start of each epoch, so that a fit of one epoch had one point; the param was 0."""

    class Warming(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
            warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 10)
            return [optimizer], [{"scheduler": warm_up, "interval": "step"}]

    trainer(RunloreCallback(), max_epochs=1, log_every_n_steps=4).fit(Warming(), data())
    rate = only(store).metrics["lr-SGD"]
    assert dict(zip(rate.steps.tolist(), rate.values.tolist(), strict=True)) == {0: 0.0, 4: 0.4, 8: 0.8, 10: 1.0}
    assert only(store).params["optimizer.lr"] == 1.0


def test_where_nothing_is_optimized_no_stand_in_is_told(store: Store) -> None:
    """Lightning steps one, and the record told under `missing` that it can't be read."""

    class Frozen(Tiny):
        def configure_optimizers(self) -> None:
            return None

    trainer(RunloreCallback(), max_epochs=1).fit(Frozen(), data(3))
    assert (only(store).missing, [key for key in only(store).params if "optimizer" in key]) == ([], [])


@pytest.mark.parametrize("own", [False, True])
def test_name_and_experiment_that_another_logger_has_are_taken(
    store: Store, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    """They had to be given twice; a setting of the user's goes before them, as what is given to us."""
    csv = pl.loggers.CSVLogger(store.root.parent, name="digits", version="wide")
    callback = RunloreCallback("narrow") if own else RunloreCallback()
    trainer(callback, logger=csv, max_epochs=1).fit(Tiny(), data(1))
    assert (only(store).name, only(store).experiment) == ("narrow" if own else "wide", "digits")
    monkeypatch.setenv("RUNLORE_EXPERIMENT", "mine")
    trainer(RunloreCallback(), logger=pl.loggers.CSVLogger(store.root.parent), max_epochs=1).fit(Tiny(), data(1))
    trainer(RunloreCallback(), logger=csv, max_epochs=1).fit(Tiny(), data(1))
    assert [run.experiment for run in store.runs()] == ["mine", "mine", "digits"]
    assert not store.runs()[1].name.startswith("version")


def test_what_is_accumulated_by_a_schedule_is_told(store: Store) -> None:
    """The schedule was not on record, and the Trainer's number was 1, which no step had."""
    schedule = pl.callbacks.GradientAccumulationScheduler({0: 4, 1: 2})
    trainer(RunloreCallback(), schedule, max_epochs=2).fit(Tiny(), data(8))
    params = only(store).params
    assert params["trainer.accumulate_grad_batches"] == 4
    told = {name: value for name, value in params.items() if "GradientAccumulationScheduler" in name}
    assert [str(value) for value in told.values()] in (["4", "2"], ["{0: 4, 1: 2}"])
