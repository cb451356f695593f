"""What a script writes for TensorBoard is recorded in the run that is open, and TensorBoard's files are the same."""

import io
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorboardX
import torch
from PIL import Image
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
        for given in (1.7, torch.tensor(2), np.int64(3)):  # which the writer makes whole
            writer.add_scalar("steps", 1.0, given)
    (found,) = store.runs()
    loss = found.metrics["Loss/train"]
    assert (loss.steps.tolist(), loss.values.tolist()) == ([0, 10, 20], [0.5, 0.25, pytest.approx(0.5 / 3)])
    assert (found.metrics["lr"].last, found.metrics["acc/train"].last) == (1e-4, 0.5)
    assert found.metrics["acc/val"].steps.tolist() == [7]
    assert found.metrics["steps"].steps.tolist() == [1, 2, 3]
    assert not found.missing


def test_hparams_are_params_and_their_metrics_the_summary(store: Store, writer_class: Any, tmp_path: Path) -> None:
    with writer_class(str(tmp_path / "board")) as writer, runlore.start_run():
        writer.add_hparams({"lr": 0.1, "bsize": 4}, {"hparam/accuracy": 0.9})
    (found,) = store.runs()
    assert (found.params, found.summary) == ({"lr": 0.1, "bsize": 4}, {"hparam/accuracy": 0.9})
    assert not found.metrics


def media(found: Any) -> dict[tuple[str | None, int | None], Any]:
    return {(item.media, item.step): item for item in found.artifacts if item.media}


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_images_are_media_whatever_their_axes(store: Store, writer_class: Any, tmp_path: Path) -> None:
    digit = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    tensor = torch.tensor(digit, dtype=torch.float32) / 255
    with writer_class(str(tmp_path / "board")) as writer, runlore.start_run():
        writer.add_image("digit", digit.transpose(2, 0, 1), 0)
        writer.add_image("digit", tensor, global_step=1, dataformats="HWC")
        writer.add_image("grey", digit[..., 0], 2, dataformats="HW")
        writer.add_images("batch", tensor.permute(2, 0, 1)[None].repeat(3, 1, 1, 1).requires_grad_(), 3)
        digit[:] = 0
    (found,) = store.runs()
    kept = media(found)
    assert kept.keys() == {("digit", 0), ("digit", 1), ("grey", 2), ("batch", 3)}
    wanted = np.arange(24).reshape(2, 4, 3)
    assert (pixels(kept["digit", 0].read_bytes()) == wanted).all()
    assert (pixels(kept["digit", 1].read_bytes()) == wanted).all()
    assert (pixels(kept["grey", 2].read_bytes()) == wanted[..., 0]).all()
    assert len(list(kept["batch", 3].restore(tmp_path / "batch").iterdir())) == 3
    assert not found.missing


def test_figures_are_drawn_once(store: Store, writer_class: Any, tmp_path: Path) -> None:
    figure, axes = plt.subplots(figsize=(2, 1), dpi=50)
    axes.plot([1, 2])
    drawn: list[object] = []
    figure.canvas.mpl_connect("draw_event", drawn.append)
    with writer_class(str(tmp_path / "board")) as writer, runlore.start_run():
        writer.add_figure("curve", figure, 4)
    (found,) = store.runs()
    (kept,) = media(found).values()
    assert (kept.media, kept.step, pixels(kept.read_bytes()).shape) == ("curve", 4, (50, 100, 3))
    assert len(drawn) <= 1
    assert not plt.get_fignums()


def test_histograms_texts_and_curves_are_media(store: Store, writer_class: Any, tmp_path: Path) -> None:
    with writer_class(str(tmp_path / "board")) as writer, runlore.start_run():
        for step in range(2):
            writer.add_text("config", f"text {step}", step)
            writer.add_histogram("weights", torch.arange(9.0), step)
        writer.add_pr_curve("pr", np.array([0, 1, 1]), np.array([0.2, 0.9, 0.4]), 5)
    (found,) = store.runs()
    kept = media(found)
    assert [kept["config", step].read_bytes().decode() for step in range(2)] == ["text 0", "text 1"]
    assert sum(json.loads(kept["weights", 1].read_bytes())["counts"]) == 9
    assert ("pr", 5) in kept
    assert not found.missing
    assert not found.notes


def test_sounds_are_media(store: Store, on: On, tmp_path: Path) -> None:
    on("tensorboard")  # that of tensorboardX needs soundfile
    with tensorboard.SummaryWriter(str(tmp_path / "board")) as writer, runlore.start_run():
        writer.add_audio("tone", torch.tensor([[0.0, 0.5, -1.0]]), 6, sample_rate=8000)
    (kept,) = media(store.runs()[0]).values()
    with wave.open(io.BytesIO(kept.read_bytes())) as sound:
        assert (kept.media, kept.step, sound.getframerate(), sound.getnchannels()) == ("tone", 6, 8000, 1)
        assert np.frombuffer(sound.readframes(3), "<i2").tolist() == [0, 16383, -32767]


def test_what_is_not_kept_is_named_once(store: Store, writer_class: Any, tmp_path: Path) -> None:
    with writer_class(str(tmp_path / "board")) as writer, runlore.start_run():
        for step in range(2):
            writer.add_histogram_raw("weights", 0, 1, 2, 1.0, 1.0, [1.0], [2], step)
    (found,) = store.runs()
    assert [item["what"] for item in found.missing] == ["TensorBoard's add_histogram_raw"]


@pytest.mark.filterwarnings("ignore:.*media 'odd':RuntimeWarning")
def test_a_value_that_is_none_costs_itself_alone(store: Store, writer_class: Any, tmp_path: Path) -> None:
    with writer_class(str(tmp_path / "board")) as writer, runlore.start_run():
        writer.add_histogram("odd", np.array([np.nan, 1.0, 2.0]), 0, bins=[0.0, 1.5, 3.0])
        writer.add_text("fine", "text", 0)
    assert ("fine", 0) in media(store.runs()[0])


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
