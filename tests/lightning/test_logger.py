"""RunloreLogger: the same record by Lightning's Logger interface."""

from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from runlore_lightning import RunloreCallback, RunloreLogger
from tests.lightning.models import Tiny, data, pl, trainer


def record_of(run: Any) -> Any:
    metrics = {key: (series.steps.tolist(), series.values.tolist()) for key, series in run.metrics.items()}
    artifacts = [(item.kind, item.step, item.roles, item.sha256 is not None) for item in run.artifacts]
    return metrics, dict(run.params), artifacts, run.status, run.missing


def fit(tmp_path: Path, *callbacks: Any, **settings: Any) -> Any:
    pl.seed_everything(0)
    keep = pl.callbacks.ModelCheckpoint(dirpath=tmp_path, monitor="val_loss")
    made = trainer(*callbacks, keep, enable_checkpointing=True, **settings)
    made.fit(Tiny(), data(), data(2))
    return made


def test_the_record_is_the_same_as_the_callbacks(store: Store, tmp_path: Path) -> None:
    fit(tmp_path / "same", RunloreCallback())
    for path in (tmp_path / "same").iterdir():
        path.unlink()
    fit(tmp_path / "same", logger=RunloreLogger())
    second, first = store.runs()
    assert record_of(second) == record_of(first)


def test_both_make_one_run(store: Store, tmp_path: Path) -> None:
    fit(tmp_path / "ck", RunloreCallback(), logger=RunloreLogger())
    (run,) = store.runs()
    assert run.metrics["train_loss_step"].steps.tolist() == list(range(1, 31))
    assert run.missing == []


def test_what_is_logged_by_hand_and_by_other_callbacks_is_recorded(store: Store) -> None:
    class ByHand(Tiny):
        def on_train_epoch_end(self) -> None:
            self.logger.log_metrics({"mine": float(self.current_epoch)}, step=self.global_step)
            self.logger.log_hyperparams({"late": 3})
            self.logger.experiment.note(f"epoch {self.current_epoch}")

    rates = pl.callbacks.LearningRateMonitor(logging_interval="epoch")
    logger = RunloreLogger("by-hand", experiment="digits")
    trainer(rates, logger=logger).fit(ByHand(), data())
    (run,) = store.runs()
    assert (run.name, run.experiment, run.params["late"]) == ("by-hand", "digits", 3)
    assert run.metrics["mine"].steps.tolist() == [10, 20, 30]
    assert run.notes == ["epoch 0", "epoch 1", "epoch 2"]
    assert run.metrics["lr-SGD"].count == 3
    assert logger.experiment is None


def test_checkpoints_without_a_folder_go_below_the_runs_name(store: Store, tmp_path: Path) -> None:
    logger = RunloreLogger("named")
    trainer(logger=logger, enable_checkpointing=True, max_epochs=1, default_root_dir=tmp_path / "root").fit(
        Tiny(), data()
    )
    (item,) = (item for item in store.runs()[0].artifacts if item.kind == "checkpoint")
    assert item.path
    assert Path(item.path).parent == tmp_path / "root" / "runlore" / "named" / "checkpoints"


def test_a_failed_fit_is_failed_and_a_second_one_is_linked(store: Store) -> None:
    class Failing(Tiny):
        failing = True

        def on_train_epoch_end(self) -> None:
            if self.failing:
                raise ValueError("at the end")

    model, logger = Failing(), RunloreLogger()
    made = trainer(logger=logger, max_epochs=1)
    with pytest.raises(ValueError, match="at the end"):
        made.fit(model, data())
    model.failing = False
    made.fit(model, data())
    second, first = store.runs()
    assert (first.status, second.status) == ("failed", "finished")
    assert second.links == [{"kind": "refit_of", "run": first.id}]


def test_no_fit_no_run(store: Store) -> None:
    logger = RunloreLogger()
    trainer(logger=logger).test(Tiny(), data(), verbose=False)
    logger.log_metrics({"x": 1.0}, step=1)
    logger.log_hyperparams({"x": 1})
    logger.finalize("success")
    assert len(store.runs()) == 0


def test_a_logger_alone_records_tests_too(store: Store) -> None:
    """Only the callback noticed tests."""
    made, model = trainer(logger=RunloreLogger(), max_epochs=1), Tiny()
    made.fit(model, data())
    made.test(model, data(2), verbose=False)
    assert store.runs()[0].metrics["test_loss"].steps.tolist() == [10]


def test_a_graph_that_the_user_asks_for_begins_nothing(store: Store) -> None:
    """`log_graph` called by the user began a second run."""

    class Graphed(Tiny):
        def on_train_start(self) -> None:
            self.logger.log_graph(self)

    made = trainer(logger=RunloreLogger(), max_epochs=1)
    made.fit(Graphed(), data())
    (run,) = store.runs()
    assert (run.status, run.metrics["train_loss_step"].count) == ("finished", 10)


def test_a_test_that_logger_and_callback_record_is_added_once(store: Store) -> None:
    made, model = trainer(RunloreCallback(), logger=RunloreLogger(), max_epochs=1), Tiny()
    made.fit(model, data())
    made.test(model, data(2), verbose=False)
    run = store.runs()[0]
    assert [run.metrics[name].count for name in run.metrics if name.startswith("test")] == [1]
