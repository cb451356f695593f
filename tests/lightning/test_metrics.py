"""What the trainer gives to its loggers becomes points: each once, at its step, and nothing else."""

import gc
import math
import tracemalloc
from typing import Any

import pytest
import torch

from runlore import Store
from runlore_lightning import RunloreCallback
from tests.lightning.models import BATCHES, Tiny, data, only, pl, trainer


def test_no_stale_value_is_written(store: Store) -> None:
    """callback_metrics, read at every batch, would give 30 points of val_loss, and at validation an old train value."""
    seen: dict[str, list[float]] = {"train": [], "val": []}

    class Telling(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            loss = super().training_step(batch, batch_idx)
            seen["train"].append(loss.item())
            return loss

        def on_validation_epoch_end(self) -> None:
            if not self.trainer.sanity_checking:
                seen["val"].append(self.trainer.callback_metrics["val_loss"].item())

    trainer(RunloreCallback()).fit(Telling(), data(), data(3))
    run = only(store)
    assert run.metrics["train_loss_step"].values.tolist() == pytest.approx(seen["train"])
    assert run.metrics["val_loss"].values.tolist() == pytest.approx(seen["val"])
    assert len(seen["val"]) == 3


def test_what_is_not_for_loggers_is_not_recorded(store: Store) -> None:
    class Quiet(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            self.log("hidden", 1.0, logger=False)
            self.log("step", 99.0)
            self.log("axis", 2.0)
            return super().training_step(batch, batch_idx)

    trainer(RunloreCallback(), max_epochs=1).fit(Quiet(), data())
    run = only(store)
    assert set(run.metrics) == {"train_loss_step", "train_loss_epoch", "lr-SGD", "axis"}
    assert run.metrics["axis"].steps.tolist() == list(range(1, BATCHES + 1))


def test_learning_rates_stand_in_the_rows_of_what_is_logged(store: Store) -> None:
    """Rows of their own would double what a step costs."""
    trainer(RunloreCallback(), max_epochs=1).fit(Tiny(), data())
    run = only(store)
    loss, rates = run.metrics["train_loss_step"], run.metrics["lr-SGD"]
    assert rates.steps.tolist() == [0, *loss.steps.tolist()]
    assert rates.times[1:-1].tolist() == loss.times[:-1].tolist()  # the last one is that of the epoch's end


def test_a_rate_that_cannot_be_read_costs_no_metric(store: Store) -> None:
    class Hostile(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise ValueError("not now")

    class Odd(Tiny):
        def on_train_batch_start(self, *_: Any) -> None:
            groups = self.trainer.optimizers[0].param_groups
            groups[0] = Hostile(groups[0])

    trainer(RunloreCallback(), max_epochs=1).fit(Odd(), data())
    run = only(store)
    assert len(run.metrics["train_loss_step"].values) == BATCHES
    assert "ValueError: not now" in str(run.missing)


def test_accumulated_batches_and_several_optimizers_count_as_the_trainer_does(store: Store) -> None:
    trainer(RunloreCallback(), accumulate_grad_batches=4, max_epochs=1).fit(Tiny(), data())
    assert only(store).metrics["train_loss_step"].steps.tolist() == [1, 2, 3]  # 4 + 4 + 2 batches


def test_manual_optimization_is_recorded_at_the_global_step(store: Store) -> None:
    class Manual(Tiny):
        automatic_optimization = False

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            for optimizer in self.optimizers():  # type: ignore[union-attr]
                optimizer.zero_grad()
                self.manual_backward(self.loss(batch))
                optimizer.step()
            return super().training_step(batch, batch_idx)

        def configure_optimizers(self) -> Any:
            return [torch.optim.SGD(self.parameters(), lr=0.1), torch.optim.Adam(self.parameters(), lr=0.01)]

    trainer(RunloreCallback(), max_epochs=1).fit(Manual(), data())
    run = only(store)
    assert run.metrics["train_loss_step"].steps.tolist() == list(range(2, 2 * BATCHES + 2, 2))
    assert (run.params["optimizer.name"], run.params["optimizer_1.name"]) == ("SGD", "Adam")
    assert {"lr-SGD", "lr-Adam"} <= set(run.metrics)


def test_nan_and_infinity_come_back(store: Store) -> None:
    class Odd(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            self.log("odd", math.nan if batch_idx else math.inf)
            return super().training_step(batch, batch_idx)

    trainer(RunloreCallback(), max_epochs=1).fit(Odd(), data(2))
    first, second = only(store).metrics["odd"].values.tolist()
    assert first == math.inf
    assert math.isnan(second)


def test_a_fit_that_is_too_short_to_log_says_so(store: Store) -> None:
    """A short fit that logs by step had no metrics, and nothing said why."""

    class ByStep(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            loss = self.loss(batch)
            self.log("loss", loss)
            return loss

    trainer(RunloreCallback(), max_epochs=1, log_every_n_steps=50).fit(ByStep(), data())
    (missing,) = store.runs()[0].missing
    assert missing == {
        "what": "metrics loss",
        "why": "Lightning gives them to no logger: log_every_n_steps is 50, the fit had 10 steps",
    }


class OnDevice(torch.Tensor):
    """A number that says it lies on a GPU, and counts how often it is fetched from there."""

    fetched = 0

    @property
    def device(self) -> Any:  # type: ignore[override]
        return torch.device("cuda", 0)

    @property
    def is_cpu(self) -> bool:  # type: ignore[override]
        return False

    def item(self) -> Any:
        OnDevice.fetched += 1
        return 1.5


def test_a_metric_on_a_device_is_not_waited_for_at_every_step(store: Store) -> None:
    from runlore import FitSession

    session = FitSession.begin("own")
    for step in range(300):
        session.metrics({"loss": torch.zeros(()).as_subclass(OnDevice), "plain": 0.5}, step=step)
        assert OnDevice.fetched in (0, 128, 256)  # of 256 calls that wait every second is on the device
        session.metrics({"later": float(step)}, step=step)
    session.end()
    assert OnDevice.fetched == 300
    run = only(store)
    assert run.metrics["loss"].steps.tolist() == run.metrics["later"].steps.tolist() == list(range(300))
    assert set(run.metrics["loss"].values.tolist()) == {1.5}


@pytest.mark.stress
@pytest.mark.quiet
def test_memory_does_not_grow_with_the_steps(store: Store) -> None:
    sizes: list[int] = []

    class Weighing(pl.Callback):  # type: ignore[misc,name-defined]
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step in (500, 3_000):
                gc.collect()
                taken = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/runlore*/*")])
                sizes.append(sum(trace.size for trace in taken.traces))

    tracemalloc.start()
    try:
        trainer(RunloreCallback(), Weighing(), max_epochs=1).fit(Tiny(), data(3_000))
    finally:
        tracemalloc.stop()
    before, after = sizes
    assert after - before < 20_000, sizes
