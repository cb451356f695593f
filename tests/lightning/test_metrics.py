"""What is recorded of a fit: metrics, params, and what came after."""

import contextlib
import gc
import math
import tracemalloc
import weakref
from typing import Any

import pytest
import torch

from runlore import Store
from runlore_lightning import RunloreCallback
from tests.lightning.models import BATCHES, Tiny, data, pl, trainer


def only(store: Store) -> Any:
    (run,) = store.runs()
    return run


def test_a_fit_is_one_run_with_every_point_once(store: Store) -> None:
    t = trainer(RunloreCallback(), log_every_n_steps=5)
    t.fit(Tiny(), data(), data(3))
    run = only(store)
    assert (run.status, run.tags) == ("finished", {"integration": "lightning", "model": "Tiny"})
    assert run.metrics["train_loss_step"].steps.tolist() == [5, 10, 15, 20, 25, 30]
    assert run.metrics["train_loss_epoch"].steps.tolist() == [10, 20, 30]
    assert run.metrics["val_loss"].steps.tolist() == [10, 20, 30]
    assert (run.metrics["val_loss"].split, run.metrics["train_loss_step"].split) == ("val", "train")
    assert set(run.metrics) == {"train_loss_step", "train_loss_epoch", "val_loss", "lr-SGD"}
    assert run.metrics["val_loss"].last == pytest.approx(float(t.callback_metrics["val_loss"]))


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


def test_early_stopping_finishes_and_says_why(store: Store) -> None:
    stop = pl.callbacks.EarlyStopping("train_loss", patience=1, mode="max")
    trainer(RunloreCallback(), stop, max_epochs=20).fit(Tiny(), data())
    run = only(store)
    assert run.status == "finished"
    assert run.tags["stopped"].startswith(f"epoch {stop.stopped_epoch}: ")


def test_searches_for_a_rate_or_a_batch_size_add_no_run(store: Store) -> None:
    class Sized(Tiny):
        batch_size = 2

        def train_dataloader(self) -> Any:
            return torch.utils.data.DataLoader(data().dataset, batch_size=self.batch_size)

        def val_dataloader(self) -> Any:
            return data(1)

    t = trainer(RunloreCallback(), max_epochs=1)
    tuner = pl.tuner.Tuner(t)
    model = Sized()
    tuner.lr_find(model, num_training=4, attr_name="lr")
    tuner.scale_batch_size(model, max_trials=2, steps_per_trial=1)
    assert len(store.runs()) == 0
    t.fit(model)
    assert only(store).status == "finished"
    assert only(store).metrics["train_loss_epoch"].count == 1


def test_a_search_within_a_fit_adds_no_points(store: Store) -> None:
    finder = pl.callbacks.LearningRateFinder(num_training_steps=4)
    trainer(RunloreCallback(), finder, max_epochs=2, enable_checkpointing=True).fit(Tiny(), data())
    run = only(store)
    assert run.metrics["train_loss_step"].steps.tolist() == list(range(1, 21))
    assert not any(item.name.startswith(".lr_find") for item in run.artifacts)


@pytest.mark.parametrize("how", [{"fast_dev_run": True}, {"barebones": True}])
def test_a_dry_run_is_recorded_only_if_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch, how: Any) -> None:
    def fit(callback: Any) -> None:
        settings = {"max_epochs": 1, "enable_progress_bar": False, "enable_model_summary": False, "logger": False}
        plain = {"num_sanity_val_steps": 0, "enable_checkpointing": False, "log_every_n_steps": 0}
        own = plain if "barebones" in how else {}
        pl.Trainer(callbacks=[callback], accelerator="cpu", **{**settings, **own, **how}).fit(Tiny(), data(), data())

    fit(RunloreCallback())
    assert len(store.runs()) == 0
    fit(RunloreCallback(dry_runs=True))
    assert len(store.runs()) == 1
    monkeypatch.setenv("RUNLORE_DRY_RUNS", "1")
    fit(RunloreCallback())
    assert len(store.runs()) == 2


def test_a_test_and_a_validation_afterwards_belong_to_the_run(store: Store) -> None:
    t = trainer(RunloreCallback())
    model = Tiny()
    t.fit(model, data(), data(3))
    t.test(model, data(2), verbose=False)
    (validated,) = t.validate(model, data(2), verbose=False)
    t.predict(model, data(2))
    run = only(store)
    assert run.metrics["test_loss"].steps.tolist() == [30]
    assert run.metrics["test_loss"].split == "test"
    assert run.metrics["val_loss"].last == pytest.approx(validated["val_loss"])
    assert run.metrics["val_loss"].count == 3
    assert run.status == "finished"
    assert "log_metrics" not in vars(t._logger_connector)


def test_a_second_fit_is_a_second_run_linked_to_the_first(store: Store) -> None:
    t = trainer(RunloreCallback(), max_epochs=1)
    model = Tiny()
    t.fit(model, data())
    t.fit_loop.max_epochs = 2
    t.fit(model, data())
    second, first = store.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]


def test_a_fit_within_the_users_run_joins_it(store: Store) -> None:
    with store.start_run("mine") as mine:
        trainer(RunloreCallback(), max_epochs=1).fit(Tiny(), data())
        assert not mine.ended
        mine.log_metrics({"after": 1.0})
    assert only(store).name == "mine"
    assert {"after", "train_loss_epoch"} <= set(only(store).metrics)


def test_name_experiment_and_tags_can_be_given(store: Store, tmp_path: Any) -> None:
    other = Store(tmp_path / "other")
    callback = RunloreCallback("first", experiment="digits", tags={"team": "vision"}, store=other)
    trainer(callback, max_epochs=1).fit(Tiny(), data())
    run = only(other)
    assert (run.name, run.experiment, run.tags["team"]) == ("first", "digits", "vision")


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


def test_the_data_is_described_by_what_is_in_memory(store: Store) -> None:
    class Endless(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
        taken = 0

        def __iter__(self) -> Any:
            while True:
                Endless.taken += 1
                yield (torch.zeros(4, 3),)

    loaders = torch.utils.data.DataLoader(torch.utils.data.Subset(data(5).dataset, range(8)), batch_size=2)
    trainer(RunloreCallback(), max_epochs=1).fit(Tiny(), loaders, data(2))
    found = only(store).data
    assert (found["train"]["rows"], found["train"]["batch_size"]) == (8, 2)
    assert found["train"]["kind"].endswith("TensorDataset")
    assert (found["train.0"]["shape"], found["val.0"]["shape"]) == ([20, 3], [8, 3])
    assert len(found["train.0"]["fingerprint"]) == 64
    endless = torch.utils.data.DataLoader(Endless(), batch_size=None)
    trainer(RunloreCallback(), max_epochs=1, limit_train_batches=3).fit(Tiny(), endless)
    taken = Endless.taken
    trainer(max_epochs=1, limit_train_batches=3).fit(Tiny(), endless)
    assert Endless.taken == 2 * taken  # as many as without us
    assert "rows" not in store.runs()[0].data["train"]
    assert store.runs()[0].missing == []


def test_what_lightning_shows_of_itself_is_unchanged(store: Store, tmp_path: Any) -> None:
    def shown(*callbacks: Any) -> Any:
        own = pl.loggers.CSVLogger(tmp_path / "csv", version=0)
        keep = pl.callbacks.ModelCheckpoint(monitor="val_loss")
        made = trainer(keep, *callbacks, logger=[own], enable_checkpointing=True, default_root_dir=tmp_path)
        model = Tiny()
        made.fit(model, data(), data(2))
        (tested,) = made.test(model, data(2), ckpt_path="best", verbose=False)
        found = made.loggers == [own], made.checkpoint_callbacks == [keep], keep.dirpath, keep.best_model_path
        return found, tested["test_loss"], sorted(path.name for path in (tmp_path / "csv").rglob("*"))

    pl.seed_everything(0)
    plain = shown()
    for path in (tmp_path / "csv").rglob("*.ckpt"):
        path.unlink()
    pl.seed_everything(0)
    assert shown(RunloreCallback()) == plain
    assert only(store).metrics["test_loss"].last == pytest.approx(plain[1])


@pytest.mark.parametrize("ending", ["finished", "failed"])
def test_a_trainer_and_its_model_can_be_freed_after_the_fit(store: Store, ending: str) -> None:
    class Failing(Tiny):
        def on_train_epoch_end(self) -> None:
            if ending == "failed":
                raise ValueError("in the midst")

    def fit() -> Any:
        model = Failing()
        made = trainer(RunloreCallback(), max_epochs=1)
        with contextlib.suppress(ValueError):
            made.fit(model, data())
        return weakref.ref(model), weakref.ref(made)

    references = fit()
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    assert only(store).status == ending


def test_the_seed_of_torch_is_on_record_and_nothing_is_drawn(store: Store) -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    store.start_run("a").finish()
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    store.start_run("b").finish()
    seeds = [store.run(name).environment["seeds"] for name in "ab"]
    assert [found["torch_seed"] for found in seeds] == [11, 11]
    assert seeds[0]["torch_state"] != seeds[1]["torch_state"]
