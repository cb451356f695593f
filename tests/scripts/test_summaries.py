"""What a script writes for TensorBoard is recorded in the run that is open, and TensorBoard's files are the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorboardX
import torch
from torch.utils import tensorboard

import runlore
from runlore import Store
from runlore.plugins.autolog import Autolog
from tests.process import Process

On = Callable[..., Autolog]
KINDS = {"torch": tensorboard.SummaryWriter, "tensorboardX": tensorboardX.SummaryWriter}


@pytest.fixture(params=KINDS)
def writer_class(request: pytest.FixtureRequest, on: On, tmp_path: Path) -> Any:
    """Either writer, followed."""
    on("tensorboard")
    return KINDS[request.param]


def test_scalars_are_metrics_at_their_step(store: Store, writer_class: Any, tmp_path: Path) -> None:
    with writer_class(str(tmp_path / "board")) as writer, runlore.start_run():
        for step in range(3):
            writer.add_scalar("Loss/train", torch.tensor(0.5 / (step + 1)), step * 10)
        writer.add_scalar(tag="lr", scalar_value=1e-4)
        writer.add_scalars("acc", {"train": 0.5, "val": np.float32(0.25)}, global_step=7)
    (found,) = store.runs()
    loss = found.metrics["Loss/train"]
    assert (loss.steps.tolist(), loss.values.tolist()) == ([0, 10, 20], [0.5, 0.25, pytest.approx(0.5 / 3)])
    assert (found.metrics["lr"].last, found.metrics["acc/train"].last) == (1e-4, 0.5)
    assert found.metrics["acc/val"].steps.tolist() == [7]
    assert not found.missing


def test_hparams_are_params_and_their_metrics_the_summary(store: Store, writer_class: Any, tmp_path: Path) -> None:
    with writer_class(str(tmp_path / "board")) as writer, runlore.start_run():
        writer.add_hparams({"lr": 0.1, "bsize": 4}, {"hparam/accuracy": 0.9})
    (found,) = store.runs()
    assert (found.params, found.summary) == ({"lr": 0.1, "bsize": 4}, {"hparam/accuracy": 0.9})
    assert not found.metrics


def test_texts_are_notes_and_media_are_named(store: Store, writer_class: Any, tmp_path: Path) -> None:
    with writer_class(str(tmp_path / "board")) as writer, runlore.start_run():
        for step in range(2):
            writer.add_text("config", f"text {step}", step)
            writer.add_histogram("weights", np.arange(9.0), step)
            writer.add_image("digit", np.zeros((1, 4, 4), np.uint8), step)
    (found,) = store.runs()
    assert list(found.notes) == ["config: text 0"]
    told = [item["what"] for item in found.missing]
    assert sorted(told) == [
        "TensorBoard's add_histogram", "TensorBoard's add_image", "TensorBoard's later texts",
    ]  # fmt: skip


def test_writers_of_one_tag_are_told_apart(store: Store, writer_class: Any, tmp_path: Path) -> None:
    with runlore.start_run():
        for name in ("train", "val"):
            with writer_class(str(tmp_path / name)) as writer:
                writer.add_scalar("loss", 0.5, 0)
    assert set(store.runs()[0].metrics) == {"loss", "val/loss"}


def test_without_a_run_nothing_is_recorded(store: Store, writer_class: Any, tmp_path: Path) -> None:
    with writer_class(str(tmp_path / "board")) as writer:
        writer.add_scalar("loss", 0.5, 0)
        with pytest.raises(AssertionError):
            writer.add_scalar("loss", np.zeros(2), 0)
    assert not store.exists or not store.runs()


def test_the_methods_are_restored(on: On) -> None:
    before = [dict(vars(kind)) for kind in KINDS.values()]
    switched = on("tensorboard")
    assert [dict(vars(kind)) == known for kind, known in zip(KINDS.values(), before, strict=True)] == [False, False]
    switched.disable()
    assert [dict(vars(kind)) == known for kind, known in zip(KINDS.values(), before, strict=True)] == [True, True]


@pytest.mark.stress
def test_what_a_framework_logs_by_itself_is_recorded_once(store: Store, python: Callable[..., Process]) -> None:
    """A Trainer's own logger calls SummaryWriter, too; a call in the user's module belongs to the run of the fit."""
    python(
        """
        import runlore
        runlore.autolog("lightning", "tensorboard")
        import torch
        from lightning.pytorch import LightningModule, Trainer
        from lightning.pytorch.loggers import TensorBoardLogger
        class Model(LightningModule):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(4, 1)
            def training_step(self, batch, index):
                loss = self.layer(batch[0]).mean()
                self.log("loss", loss)
                self.logger.experiment.add_scalar("own", 1.5, index)
                return loss
            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), 0.1)
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.rand(8, 4)), 2)
        Trainer(max_epochs=1, logger=TensorBoardLogger("."), log_every_n_steps=1, enable_progress_bar=False,
                accelerator="cpu", enable_checkpointing=False).fit(Model(), data)
        """
    ).succeed()
    (found,) = store.runs()
    assert found.metrics["own"].count == 4
    assert found.metrics["loss"].count == 4
