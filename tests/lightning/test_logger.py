"""RunloreLogger: the same record by Lightning's Logger interface."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runlore import Store
from runlore_lightning import RunloreCallback, RunloreLogger
from tests.lightning.models import Tiny, data, only, pl, trainer


def record_of(run: Any) -> Any:
    metrics = {
        key: (series.steps.tolist(), series.values.tolist())
        for key, series in run.metrics.items()
        if not key.startswith("system/")  # which a slow run has, too
    }
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


def test_what_only_the_logger_is_told_counts_beside_a_callback(store: Store) -> None:
    """Its experiment and its tags were lost, and the name of a CSVLogger stood in their place."""
    other = pl.loggers.CSVLogger("logs", name="csv", version="seventh")
    logger = RunloreLogger("logged", experiment="digits", tags={"team": "vision", "by": "logger"})
    for ours, name in ((RunloreCallback("called", tags={"by": "callback"}), "called"), (RunloreCallback(), "logged")):
        trainer(ours, logger=[other, logger], max_epochs=1).fit(Tiny(), data())
        run = store.runs()[0]
        assert (run.name, run.experiment, run.tags["team"]) == (name, "digits", "vision")
        assert run.tags["by"] == ("callback" if name == "called" else "logger")


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
    assert [note.text for note in run.notes] == ["epoch 0", "epoch 1", "epoch 2"]
    assert run.metrics["lr-SGD"].steps.tolist() == list(range(31))
    assert logger.experiment.id == run.id


def test_media_by_hand_are_kept_at_the_step_of_the_trainer(store: Store) -> None:
    class Showing(Tiny):
        def on_train_epoch_end(self) -> None:
            self.logger.log_image("samples", [np.zeros((4, 4, 3), np.uint8)] * 2, caption=["one", "two"])
            self.logger.log_table("predictions", columns=["id", "p"], data=[[1, 0.5]], step=7)

    logger = RunloreLogger()
    made = trainer(logger=logger)
    made.fit(Showing(), data())
    logger.log_text("notes", columns=["said"], data=[["behind the fit"]])
    (run,) = store.runs()
    found = [(item.media, item.step) for item in run.artifacts if item.media]
    steps = [made.global_step // made.max_epochs * epoch for epoch in range(1, made.max_epochs + 1)]
    assert [step for key, step in found if key == "samples"] == steps
    assert [step for key, step in found if key == "predictions"] == [7] * made.max_epochs
    assert ("notes", made.global_step) in found
    samples = next(item for item in run.artifacts if item.media == "samples")
    assert (samples.captions, len(samples.members)) == (("one", "two"), 2)
    assert run.missing == []


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


def test_hyperparameters_alone_make_no_run_where_trainers_are_made(store: Store) -> None:
    logger = RunloreLogger()
    trainer(logger=logger)
    logger.log_hyperparams({"x": 1})
    logger.finalize("success")
    assert len(store.runs()) == 0


def test_what_is_logged_before_and_behind_a_fit_is_a_part_of_its_run(store: Store) -> None:
    """Both were lost without a word, and `experiment` was None."""
    logger = RunloreLogger("hydra")
    made = trainer(logger=logger, max_epochs=1)
    logger.log_hyperparams({"seed": 42, "net": {"width": 64}})
    model = Tiny()
    made.fit(model, data(2))
    logger.log_metrics({"best": 0.5}, step=1)
    logger.log_metrics({"final": 0.25})
    logger.log_hyperparams({"late": 1})
    logger.experiment.note("a fine one")
    made.test(model, data(1), verbose=False)
    run = only(store)
    assert [run.params[key] for key in ("seed", "net.width", "lr", "late")] == [42, 64, 0.1, 1]
    assert (run.metrics["best"].steps.tolist(), run.metrics["final"].steps.tolist()) == ([1], [2])
    assert (run.status, [note.text for note in run.notes], run.missing) == ("finished", ["a fine one"], [])
    assert run.metrics["test_loss"].steps.tolist() == [2]


def test_the_experiment_before_a_fit_is_the_run_of_the_fit(store: Store) -> None:
    logger = RunloreLogger("early", tags={"team": "vision"})
    made = trainer(logger=logger, max_epochs=1)
    logger.experiment.set_tags({"stage": "first"})
    logger.log_metrics({"rows": 8.0}, step=0)
    made.fit(Tiny(), data(2))
    run = only(store)
    assert (run.name, run.status, run.params["lr"]) == ("early", "finished", 0.1)
    assert {"team": "vision", "stage": "first", "model": "Tiny"}.items() <= run.tags.items()
    assert run.metrics["train_loss_step"].count == 2
    assert run.metrics["rows"].steps.tolist() == [0]


def test_what_lightning_hands_over_replaces_no_hyperparameter(store: Store) -> None:
    """It hands the initial ones to its loggers; what a user hands over counts."""

    class Handing(Tiny):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            self.logger.log_hyperparams({"depth": 4})

    model = Handing()
    model.hparams["lr"] = 0.5
    trainer(logger=RunloreLogger(), max_epochs=1).fit(model, data(2))
    run = only(store)
    assert (run.params["lr"], run.params["depth"]) == (0.5, 4)


def test_metrics_by_hand_in_a_test_belong_to_it(store: Store) -> None:
    class Tested(Tiny):
        def on_test_epoch_end(self) -> None:
            self.logger.log_metrics({"by_hand": 1.0})

    made, model = trainer(logger=RunloreLogger(), max_epochs=1), Tested()
    made.fit(model, data(2))
    made.test(model, data(1), verbose=False)
    assert only(store).metrics["by_hand"].steps.tolist() == [2]


def test_a_fit_that_nobody_records_makes_no_run_by_its_logger(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_DISABLED", "lightning")
    logger = RunloreLogger()
    made = trainer(logger=logger, max_epochs=1)
    made.fit(Tiny(), data(2))
    logger.log_metrics({"x": 1.0})
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


def test_one_logger_for_several_trainers_tells_their_hyperparameters_apart(store: Store) -> None:
    """What was logged before the second fit was added to the run of the first."""
    logger = RunloreLogger("loop")
    for number in range(3):
        made = trainer(logger=logger, max_epochs=1)
        logger.log_hyperparams({"number": number})
        made.fit(Tiny(), data(2))
    assert [run.params["number"] for run in store.runs()] == [2, 1, 0]
