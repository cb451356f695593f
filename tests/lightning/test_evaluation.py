"""Tests and validations are added to the run that the weights are of."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from runlore import Store
from runlore_lightning import RunloreCallback, RunloreLogger
from tests.lightning.models import At, Tiny, checkpoint, data, fail, only, pl, trainer


def test_a_test_and_a_validation_afterwards_belong_to_the_run(store: Store) -> None:
    t = trainer(RunloreCallback())
    model = Tiny()
    t.fit(model, data(), data(3))
    t.test(model, data(2), verbose=False)
    (validated,) = t.validate(model, data(3), verbose=False)
    (other,) = t.validate(model, data(2), verbose=False)
    t.predict(model, data(2))
    run = only(store)
    assert run.metrics["val_loss/val_2"].values.tolist() == [pytest.approx(other["val_loss"])]
    assert run.data["val/val_2"]["rows"] == 8
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
    other, run = store.runs()
    assert (other.params["lr"], other.tags["purpose"], other.metrics["test_loss"].steps.tolist()) == (
        9.0,
        "evaluation",
        [0],
    )
    assert run.metrics["test_loss"].steps.tolist() == [10, 30]
    assert run.metrics["test_loss"].epochs.tolist() == [0, 2]
    assert run.metrics["test_loss/test_2"].steps.tolist() == [30]


def test_sets_of_one_class_and_length_are_told_apart(store: Store, tmp_path: Path) -> None:
    """They were taken for one, also those that were tested on without a fit."""
    keep = checkpoint(tmp_path / "ck")
    made, model = trainer(RunloreCallback(), keep, enable_checkpointing=True, max_epochs=1), Tiny()
    made.fit(model, data())
    first, second = data(2), data(2)
    second.dataset.tensors[0].add_(1)
    told = [made.test(model, loader, verbose=False)[0]["test_loss"] for loader in (first, second)]
    for loader in (second, data(2), data(3)):
        trainer(RunloreCallback()).test(Tiny(), loader, ckpt_path=keep.best_model_path, verbose=False)
    (run,) = store.runs()
    found = {key: run.metrics[key].values.tolist() for key in run.metrics if key.startswith("test_loss")}
    assert found.keys() == {"test_loss", "test_loss/test_2", "test_loss/test_3"}
    assert found["test_loss"] == [pytest.approx(told[0])]
    assert found["test_loss/test_2"] == [pytest.approx(told[1])]
    assert [run.data[name]["rows"] for name in ("test", "test/test_2", "test/test_3")] == [8, 8, 12]


def test_a_set_is_named_as_the_user_names_it(store: Store) -> None:
    made, model = trainer(RunloreCallback(), max_epochs=1), Tiny()
    made.fit(model, data())
    test_loader, noisy_loader, loaders = data(2), data(3), {"scaled": data(4)}
    told = [
        made.test(model, test_loader, verbose=False),
        made.test(model, dataloaders=noisy_loader, verbose=False),
        made.test(model, loaders["scaled"], verbose=False),
    ]
    (run,) = store.runs()
    found = [run.metrics[f"test_loss{ending}"].values.tolist() for ending in ("", "/noisy", "/scaled")]
    assert found == [[pytest.approx(value["test_loss"])] for (value,) in told]
    assert run.data["test/noisy"]["called"] == "noisy"


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
    (run,) = store.runs()
    assert run.metrics["test_loss"].steps.tolist() == [20]
    assert run.metrics["test_loss"].epochs.tolist() == [1]
    assert run.status == "finished"


def test_tests_of_checkpoints_go_to_the_runs_that_wrote_them(store: Store, tmp_path: Path) -> None:
    def fit(name: str) -> tuple[Any, Any, str]:
        keep = checkpoint(tmp_path / name, save_last="link")
        made, model = trainer(RunloreCallback(name), keep, enable_checkpointing=True, max_epochs=1), Tiny()
        made.fit(model, data())
        return made, model, keep.last_model_path

    first, model, own = fit("first")
    _, _, other = fit("second")
    first.test(model, data(2), ckpt_path=other, verbose=False)
    assert "test_loss" not in store.run("first").metrics
    assert store.run("second").metrics["test_loss"].steps.tolist() == [10]
    trainer(logger=RunloreLogger()).test(Tiny(), data(2), ckpt_path=other, verbose=False)
    trainer(RunloreCallback()).test(model, data(2), verbose=False)  # it has the weights of the second still
    assert "test_loss" not in store.run("first").metrics
    first.test(model, data(2), ckpt_path=own, verbose=False)
    trainer(RunloreCallback()).test(model, data(2), verbose=False)  # another trainer, the module that was fitted
    assert store.run("first").metrics["test_loss"].steps.tolist() == [10]
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


def test_a_validation_before_the_fit_is_its_baseline(store: Store) -> None:
    """It was not recorded, and nothing said so."""
    made, model = trainer(RunloreCallback("tuned"), max_epochs=1), Tiny()
    (before,) = made.validate(model, data(2), verbose=False)
    assert only(store).tags["purpose"] == "evaluation"
    made.test(model, data(3), verbose=False)
    made.fit(model, data(), data(2))
    run = only(store)
    assert (run.name, run.status, run.params["optimizer.lr"]) == ("tuned", "finished", 0.1)
    assert "purpose" not in run.tags
    assert dict(zip(run.metrics["val_loss"].steps.tolist(), run.metrics["val_loss"].epochs.tolist(), strict=True)) == {
        0: 0,
        10: 0,
    }
    assert run.metrics["val_loss"].values[0] == pytest.approx(before["val_loss"])
    assert run.metrics["test_loss"].steps.tolist() == [0]


@pytest.mark.parametrize("how", ["same", "fresh", "logger"])
def test_tests_of_a_loaded_module_go_to_the_run_of_its_checkpoint(store: Store, tmp_path: Path, how: str) -> None:
    """Only the Trainer's own loading was noticed."""
    keep = checkpoint(tmp_path / "ck", save_top_k=-1)
    made = trainer(RunloreCallback(), keep, enable_checkpointing=True, max_epochs=2)
    made.fit(Tiny(), data())
    loaded = Tiny.load_from_checkpoint(tmp_path / "ck" / "epoch=0-step=10.ckpt")
    if how != "same":
        made = trainer(logger=RunloreLogger()) if how == "logger" else trainer(RunloreCallback())
    made.test(loaded, data(2), verbose=False)
    metric = only(store).metrics["test_loss"]
    assert (metric.steps.tolist(), metric.epochs.tolist()) == ([10], [0])


def test_a_fit_of_a_loaded_module_tells_where_it_started(store: Store, tmp_path: Path) -> None:
    keep = checkpoint(tmp_path / "ck")
    trainer(RunloreCallback(), keep, enable_checkpointing=True, max_epochs=1).fit(Tiny(), data())
    loaded = Tiny.load_from_checkpoint(keep.best_model_path)
    made = trainer(RunloreCallback(), max_epochs=1)
    made.fit(loaded, data(2))
    made.test(loaded, data(2), verbose=False)
    second, first = store.runs()
    assert [(link["kind"], link["run"], link["step"]) for link in second.links] == [("started_from", first.id, 10)]
    assert second.metrics["test_loss"].steps.tolist() == [2]
    assert "test_loss" not in first.metrics


def test_no_validation_replaces_a_point_of_the_fit(store: Store, tmp_path: Path) -> None:
    """It stood at the trainer's epoch, one more than that of the weights."""
    keep = checkpoint(tmp_path / "ck", save_top_k=-1)
    made, model = trainer(RunloreCallback(), keep, enable_checkpointing=True), Tiny()
    made.fit(model, data(), data(2))
    before = [
        series.tolist() for series in (only(store).metrics["val_loss"].values, only(store).metrics["val_loss"].epochs)
    ]
    made.validate(model, data(2), verbose=False)
    made.validate(model, data(2), ckpt_path=tmp_path / "ck" / "epoch=0-step=10.ckpt", verbose=False)
    found = only(store).metrics
    assert [found["val_loss"].values.tolist(), found["val_loss"].epochs.tolist()] == before
    assert "val_loss/after" not in found


@pytest.mark.parametrize("change", ["by hand", "by a loop", "by another file"])
def test_weights_that_were_changed_behind_the_fit_claim_no_step_of_it(
    change: str, store: Store, tmp_path: Path
) -> None:
    made, model = trainer(RunloreCallback()), Tiny()
    made.fit(model, data())
    fitted = only(store)
    if change == "by hand":
        model.layer.bias.data.add_(1.0)
    elif change == "by a loop":
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        model(torch.ones(4, 3)).sum().backward()
        optimizer.step()
    else:
        torch.save(Tiny().state_dict(), tmp_path / "unknown.pt")
        model.load_state_dict(torch.load(tmp_path / "unknown.pt"))
    (numbers,) = made.test(model, data(2), verbose=False)
    assert "test_loss" not in store.run(fitted.id).metrics
    (run,) = (run for run in store.runs() if run.id != fitted.id)
    assert run.metrics["test_loss"].values.tolist() == [pytest.approx(numbers["test_loss"])]
    assert run.tags["purpose"] == "evaluation"
    assert [(link["kind"], link["run"]) for link in run.links] == [("refit_of", fitted.id)]


def test_weights_of_a_checkpoint_that_the_user_puts_back_have_its_step(store: Store, tmp_path: Path) -> None:
    keep = checkpoint(tmp_path / "ck", save_top_k=-1)
    made, model = trainer(RunloreCallback(), keep, enable_checkpointing=True), Tiny()
    made.fit(model, data(), data(2))
    model.load_state_dict(torch.load(tmp_path / "ck" / "epoch=0-step=10.ckpt", weights_only=False)["state_dict"])
    made.test(model, data(2), verbose=False)
    assert only(store).metrics["test_loss"].steps.tolist() == [10]
    assert only(store).metrics["test_loss"].epochs.tolist() == [0]


def test_a_test_that_fails_in_a_run_of_its_own_reads_failed(store: Store) -> None:
    made = trainer(RunloreCallback(), At("on_test_end", fail))
    with pytest.raises(ValueError, match="mine"):
        made.test(Tiny(), data(2), verbose=False)
    assert only(store).status == "failed"


def test_evaluations_within_a_run_of_the_users_are_a_part_of_it(store: Store) -> None:
    made, model = trainer(RunloreCallback(), max_epochs=1), Tiny()
    with store.start_run("mine"):
        made.validate(model, data(2), verbose=False)
        made.fit(model, data(), data(2))
        made.test(model, data(3), verbose=False)
    run = only(store)
    assert run.metrics["val_loss"].steps.tolist() == [0, 10]
    assert run.metrics["test_loss"].steps.tolist() == [10]
    assert "purpose" not in run.tags


def test_loaders_with_keys_are_described_by_these(store: Store) -> None:
    """They were numbered, so that nobody could tell which was which."""

    class Several(Tiny):
        def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
            self.log("val_loss", self.loss(batch))

        def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
            self.log("test_loss", self.loss(batch))

    made, model = trainer(RunloreCallback(), max_epochs=1), Several()
    clean, noisy = data(2), data(3)
    made.fit(model, data(2), {"clean": clean, "noisy": noisy})
    made.test(model, {"noisy": noisy, "clean": clean}, verbose=False)
    made.test(model, [clean, noisy], verbose=False)
    run = only(store)
    rows = {name: facts["rows"] for name, facts in run.data.items() if "rows" in facts and "." not in name}
    assert rows == {
        "train": 8, "val_clean": 8, "val_noisy": 12, "test_noisy": 12, "test_clean": 8, "test/test_2_0": 8,
        "test/test_2_1": 12,
    }  # fmt: skip
    told = {name for name in run.metrics if name.startswith(("val", "test"))}
    assert told == {
        f"{name}{ending}"
        for place in (0, 1)
        for name, ending in (
            (f"val_loss/dataloader_idx_{place}", ""), (f"test_loss/dataloader_idx_{place}", ""),
            (f"test_loss/dataloader_idx_{place}", "/test_2"),
        )
    }  # fmt: skip


class Teacher(Tiny):
    """Another model."""


def test_what_is_evaluated_within_a_fit_has_names_of_its_own(store: Store) -> None:
    """It was lost without a word: of another model, and by another Trainer."""
    teacher, student, made = Teacher(), Tiny(), trainer(RunloreCallback("teacher"), max_epochs=1)
    made.fit(teacher, data())
    told: list[float] = []

    def evaluate(running: Any, *_: Any) -> None:
        told.append(trainer(RunloreCallback()).test(teacher, data(2), verbose=False)[0]["test_loss"])
        trainer(RunloreCallback()).validate(Teacher(), data(2), verbose=False)

    class Evaluating(pl.Callback):  # type: ignore[misc,name-defined]
        on_train_epoch_end = staticmethod(evaluate)

    trainer(RunloreCallback("student"), Evaluating(), max_epochs=2).fit(student, data(), data(3))
    run, other = store.runs()
    assert (run.name, len(store.runs())) == ("student", 2)
    series = run.metrics["test_loss/Teacher"]
    assert (series.steps.tolist(), series.epochs.tolist(), series.split) == ([10, 20], [0, 1], "test")
    assert series.values.tolist() == pytest.approx(told)
    assert run.metrics["val_loss/val_2/Teacher_2"].steps.tolist() == [10, 20]  # made anew each time
    assert run.metrics["val_loss"].steps.tolist() == [10, 20]
    assert [(link["kind"], link["run"]) for link in run.links] == [("uses", other.id)]
    assert "test_loss" not in run.metrics
    assert run.missing == []


def test_the_model_that_is_fitted_is_tested_by_another_trainer(store: Store) -> None:
    def evaluate(running: Any, module: Any) -> None:
        trainer(RunloreCallback()).test(module, data(2), verbose=False)
        trainer(RunloreCallback()).validate(module, held_out, verbose=False)
        module.trainer = running

    class Evaluating(pl.Callback):  # type: ignore[misc,name-defined]
        on_fit_end = staticmethod(evaluate)

    held_out = data(3)
    trainer(RunloreCallback(), Evaluating(), max_epochs=2).fit(Tiny(), data(), held_out)
    (run,) = store.runs()
    found = {key: run.metrics[key].steps.tolist() for key in run.metrics if key.startswith(("test_loss", "val_loss"))}
    assert found == {"test_loss": [20], "val_loss": [10, 20], "val_loss/again": [20]}


def test_averaged_and_trained_weights_of_one_step_are_two_tests(store: Store, tmp_path: Path) -> None:
    """The test of the checkpoint's weights took the place of that of the averaged ones."""
    averaging, saving = pl.callbacks.EMAWeightAveraging(decay=0.5), pl.callbacks.ModelCheckpoint(tmp_path)
    t = trainer(RunloreCallback(), averaging, saving, max_epochs=1, enable_checkpointing=True)
    model, loader = Tiny(), data(2)
    t.fit(model, data())
    (averaged,) = t.test(model, loader, verbose=False)
    (trained,) = t.test(model, loader, ckpt_path=saving.best_model_path, verbose=False)
    assert averaged["test_loss"] != trained["test_loss"]
    metrics = only(store).metrics
    assert metrics["test_loss"].values.tolist() == [pytest.approx(averaged["test_loss"])]
    assert metrics["test_loss/after"].values.tolist() == [pytest.approx(trained["test_loss"])]
