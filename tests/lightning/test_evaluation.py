"""Tests and validations are added to the run that the weights are of."""

import os
from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from runlore_lightning import RunloreCallback, RunloreLogger
from tests.lightning.models import At, Tiny, checkpoint, data, fail, only, pl, trainer


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


def test_tests_leave_no_file_open(store: Store) -> None:
    """Each test left a file of the run open."""

    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    def fit_and_test() -> None:
        made, model = trainer(RunloreCallback(), max_epochs=1), Tiny()
        made.fit(model, data(2))
        made.test(model, data(1), verbose=False)

    fit_and_test()
    before = count()
    for _ in range(10):
        fit_and_test()
    assert count() <= before


def test_tests_on_other_data_or_of_other_models_are_told_apart(store: Store, tmp_path: Path) -> None:
    """Scores on other data became points of the first; those of another model, too."""
    keep = checkpoint(tmp_path / "ck", save_top_k=-1)
    made, model = trainer(RunloreCallback(), keep, enable_checkpointing=True), Tiny()
    made.fit(model, data())
    first, second = data(2), data(3)
    for loader in (first, second, first):
        made.test(model, loader, verbose=False)
    made.test(Tiny(lr=9.0), first, verbose=False)
    made.test(model, first, ckpt_path=tmp_path / "ck" / "epoch=0-step=10.ckpt", verbose=False)
    run = store.runs()[0]
    assert run.metrics["test_loss"].steps.tolist() == [10, 30]
    assert run.metrics["test_loss/test_2"].steps.tolist() == [30]


def test_the_same_data_made_anew_has_the_same_names(store: Store) -> None:
    """A data module makes its datasets anew for each test, which were taken for other data."""

    class Data(pl.LightningDataModule):
        def train_dataloader(self) -> Any:
            return data(2)

        def test_dataloader(self) -> Any:
            return data(3)

    made, model = trainer(RunloreCallback(), max_epochs=1), Tiny()
    made.fit(model, datamodule=Data())
    for _ in range(3):
        made.test(model, datamodule=Data(), verbose=False)
    assert [key for key in store.runs()[0].metrics if key.startswith("test_loss")] == ["test_loss"]


def test_a_test_without_a_fit_is_added_to_the_run_of_its_checkpoint(store: Store, tmp_path: Path) -> None:
    keep = checkpoint(tmp_path / "ck", save_top_k=-1)
    trainer(RunloreCallback(), keep, enable_checkpointing=True).fit(Tiny(), data())
    path = tmp_path / "ck" / "epoch=1-step=20.ckpt"
    path = path.rename(tmp_path / "moved.ckpt")
    for _ in range(2):
        made = trainer(RunloreCallback(), RunloreCallback())
        made.test(Tiny(), data(2), ckpt_path=path, verbose=False)
        assert "teardown" not in vars(made.strategy)
    trainer(RunloreCallback()).test(Tiny(), data(2), verbose=False)
    (run,) = store.runs()
    assert run.metrics["test_loss"].steps.tolist() == [20]
    assert run.status == "finished"


def test_tests_of_checkpoints_go_to_the_runs_that_wrote_them(store: Store, tmp_path: Path) -> None:
    def fit(name: str) -> tuple[Any, Any, str]:
        keep = checkpoint(tmp_path / name, save_last="link")
        made, model = trainer(RunloreCallback(name), keep, enable_checkpointing=True, max_epochs=1), Tiny()
        made.fit(model, data())
        return made, model, keep.last_model_path

    first, model, _ = fit("first")
    _, _, other = fit("second")
    first.test(model, data(2), ckpt_path=other, verbose=False)
    assert "test_loss" not in store.run("first").metrics
    assert store.run("second").metrics["test_loss"].steps.tolist() == [10]
    trainer(logger=RunloreLogger()).test(Tiny(), data(2), ckpt_path=other, verbose=False)
    trainer(RunloreCallback()).test(model, data(2), verbose=False)  # another trainer, the module that was fitted
    assert store.run("first").metrics["test_loss"].steps.tolist() == [0]
    assert len(store.runs()) == 2


def test_a_test_that_is_left_without_a_word_adds_nothing_later(store: Store) -> None:
    """The taps of a test that failed stayed, and took the points of the next fit."""
    made = trainer(RunloreCallback(), max_epochs=1)
    model = Tiny()
    made.fit(model, data())
    made.callbacks += [At("on_exception", fail), At("on_test_batch_end", fail)]
    with pytest.raises(ValueError, match="mine"):
        made.test(model, data(2), verbose=False)
    made.fit_loop.max_epochs = 2
    made.fit(model, data())
    second, first = store.runs()
    assert (first.metrics["train_loss_step"].count, second.metrics["train_loss_step"].count) == (10, 10)


def test_a_lone_test_that_was_left_does_not_take_the_next_one_s_points(store: Store, tmp_path: Path) -> None:
    """The same for a test without a fit: the next test counted for its run."""
    paths = []
    for name in ("first", "second"):
        keep = checkpoint(tmp_path / name)
        trainer(RunloreCallback(name), keep, enable_checkpointing=True, max_epochs=1).fit(Tiny(), data())
        paths.append(keep.best_model_path)
    made = trainer(At("on_exception", fail), RunloreCallback(), At("on_test_end", fail))
    with pytest.raises(ValueError, match="mine"):
        made.test(Tiny(), data(2), ckpt_path=paths[0], verbose=False)
    made.test(Tiny(), data(2), ckpt_path=paths[1], verbose=False)
    assert [store.run(name).metrics["test_loss"].count for name in ("first", "second")] == [1, 1]
