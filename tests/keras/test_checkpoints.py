"""What is saved, loaded and evaluated: checkpoints and their roles, going on after a kill, what comes behind a fit."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

import runlore
from runlore import Store
from runlore_keras import RunloreCallback
from tests.keras.models import ROOT, fit, model, only, rows, when
from tests.process import Process

Python = Callable[..., Process]


def saved(run: Any) -> list[Any]:
    """The checkpoints in the order of their writing."""
    return sorted((item for item in run.artifacts if item.kind == "checkpoint"), key=lambda item: item.step)


# Records (K5)


def test_a_record_for_every_write_of_the_best(store: Store, tmp_path: Path) -> None:
    values = iter([3.0, 2.0, 5.0, 1.0])
    scoring = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(score=next(values)))
    keeping = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "score", save_best_only=True, mode="min")
    fit(model(), RunloreCallback(), scoring, keeping, epochs=4)
    run = only(store)
    found = saved(run)
    assert [(item.step, item.epoch, item.monitor, item.value) for item in found] == [
        (2, 0, "score", 3.0), (4, 1, "score", 2.0), (8, 3, "score", 1.0),
    ]  # fmt: skip
    assert {item.path for item in found} == {str(tmp_path / "best.keras")}
    assert len({item.sha256 for item in found}) == 3
    best = run.artifact("best")
    assert (best.step, best.roles, best.stored, best.present) == (8, ("last", "best"), True, True)


def test_each_epoch_with_its_own_name_is_a_record(store: Store, tmp_path: Path) -> None:
    keeping = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}-{loss:.2f}.weights.h5", save_weights_only=True)
    fit(model(), keeping, RunloreCallback())
    found = saved(only(store))
    assert [(item.name[:3], item.name[-11:], item.step) for item in found] == [
        ("01-", ".weights.h5", 2), ("02-", ".weights.h5", 4), ("03-", ".weights.h5", 6),
    ]  # fmt: skip
    assert [item.roles for item in found][-1] == ("last",)
    assert only(store).artifact("last").name == found[-1].name


def test_saves_between_epochs_have_the_step_of_the_moment(store: Store, tmp_path: Path) -> None:
    keeping = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=1)
    fit(model(), RunloreCallback(), keeping, epochs=2)
    assert [(item.step, item.epoch) for item in saved(only(store))] == [(1, 0), (2, 0), (3, 1), (4, 1)]


def test_what_any_callback_saves_is_a_checkpoint(store: Store, tmp_path: Path) -> None:
    made = model()
    fit(made, RunloreCallback(), when(1, lambda: made.save_weights(tmp_path / "mine.weights.h5")))
    assert [(item.name, item.step) for item in saved(only(store))] == [("mine.weights.h5", 4)]


def test_a_legacy_file_is_a_checkpoint(store: Store, tmp_path: Path) -> None:
    keeping = keras.callbacks.ModelCheckpoint(tmp_path / "old.h5")
    fit(model(), RunloreCallback(), keeping)
    assert [item.name for item in saved(only(store))] == ["old.h5"] * 3


LOAD = """
import os, sys
import keras, numpy as np
assert not any(name.startswith("runlore") for name in sys.modules)
sys.path_hooks.clear()
rows = np.random.default_rng(1).normal(size=(16, 3)).astype("float32")
if sys.argv[1].endswith(".keras"):
    model = keras.models.load_model(sys.argv[1])
else:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)])
    model.load_weights(sys.argv[1])
print(model.predict(rows, verbose=0).tobytes().hex())
"""


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_a_restored_checkpoint_loads_where_runlore_is_not(store: Store, tmp_path: Path, suffix: str) -> None:
    made = model()
    path = tmp_path / f"kept{suffix}"
    with runlore.autolog("keras"):
        fit(made, keras.callbacks.ModelCheckpoint(path, save_weights_only=suffix != ".keras"))
    content = path.read_bytes()
    path.unlink()
    restored = only(store).artifact("last").restore(tmp_path / "restored")
    assert restored.read_bytes() == content
    assert b"runlore" not in content
    script = tmp_path / "load.py"
    script.write_text(LOAD)
    done = subprocess.run(
        [sys.executable, script, restored], cwd=tmp_path, env={**os.environ, "RUNLORE_AUTOLOG": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == made.predict(rows()[0], verbose=0).tobytes().hex()


def test_a_full_folder_costs_the_framework_what_it_costs_without_us(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    keeping = keras.callbacks.ModelCheckpoint(tmp_path / "file" / "x.keras")
    with pytest.raises(OSError, match="file") as plain:
        fit(model(), keeping)
    with pytest.raises(OSError, match="file") as recorded:
        fit(model(), RunloreCallback(), keeping)
    assert str(recorded.value) == str(plain.value)
    assert only(store).status == "failed"


def test_a_removed_folder_is_told(store: Store, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "ck"
    keeping = keras.callbacks.ModelCheckpoint(folder / "{epoch}.keras")
    fit(model(), RunloreCallback(), keeping, when(1, lambda: shutil.rmtree(folder)))
    run = only(store)
    assert run.status == "finished"
    assert [item.present for item in saved(run)] == [False, False, True]


# Going on (K3, G16)


def test_backups_are_no_last_checkpoints_and_gone_at_the_end(store: Store, tmp_path: Path) -> None:
    keeping = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    backing = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    fit(model(), RunloreCallback(), keeping, backing)
    run = only(store)
    assert run.artifact("last").name == "3.keras"
    backups = [item for item in saved(run) if item.name == "latest.weights.h5"]
    assert (len(backups), {item.present for item in backups}) == (3, {False})
    assert backups[-1].roles == ("backup",)


KILLED = """
import os, sys, time, warnings
warnings.simplefilter("ignore")
from pathlib import Path
import runlore
from tests.keras.models import fit, keras, model, when

folder, how, ending = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
callbacks = [keras.callbacks.BackupAndRestore(folder / "backup")]
if how == "callback":
    from runlore_keras import RunloreCallback
    callbacks.insert(0, RunloreCallback())  # before the one that restores
else:
    runlore.autolog("keras")

def wait():
    print("here", flush=True)
    time.sleep(60)

if ending == "wait":
    callbacks.append(when(3, wait))
fit(model(), *callbacks, epochs=6)
"""


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_backup_and_restore_goes_on_as_the_same_run(store: Store, tmp_path: Path, python: Python, how: str) -> None:
    killed = python(KILLED, str(tmp_path), how, "wait", PYTHONPATH=ROOT)
    assert killed.line() == "here"
    assert only(store).status == "running"
    killed.kill()
    assert only(store).status == "crashed"
    python(KILLED, str(tmp_path), how, "none", PYTHONPATH=ROOT).succeed()
    run = only(store)
    assert (run.status, len(run.segments)) == ("finished", 2)
    assert run.metrics["loss"].steps.tolist() == [2, 4, 6, 8, 10, 12]
    assert run.metrics["loss"].epochs.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_a_loaded_model_of_a_finished_run_makes_a_linked_one(store: Store, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    with runlore.autolog("keras"):
        fit(model(), keras.callbacks.ModelCheckpoint(path, save_weights_only=suffix != ".keras"))
        if suffix == ".keras":
            again = keras.models.load_model(path)
        else:
            again = model()
            again.load_weights(path)
        fit(again, initial_epoch=3, epochs=5)
    second, first = store.runs()
    assert second.links == [{"kind": "resumed_from", "run": first.id, "step": 6}]
    assert second.metrics["loss"].epochs.tolist() == [3, 4]


def test_a_file_that_has_changed_since_it_was_loaded_is_no_origin(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x.keras"
    with runlore.autolog("keras"):
        fit(model(), keras.callbacks.ModelCheckpoint(path))
        again = keras.models.load_model(path)
        path.write_bytes(b"something else")
        fit(again)
    assert store.runs()[0].links == []


# Behind the fit (K7)


def test_evaluate_adds_to_the_run_as_test(store: Store) -> None:
    made = model()
    x, y = rows()
    fit(made, RunloreCallback(), validation_split=0.25)
    told = made.evaluate(x, y, verbose=0, return_dict=True)
    run = only(store)
    assert run.metrics["test/loss"].values.tolist() == [told["loss"]]
    assert (run.metrics["test/loss"].split, run.metrics["test/loss"].steps.tolist()) == ("test", [6])
    assert run.metrics["test/mae"].values.tolist() == [told["mae"]]
    assert run.metrics["loss"].count == run.metrics["val_loss"].count == 3
    assert (run.data["test"]["rows"], run.data["test_y"]["shape"]) == (16, [16, 1])
    assert run.status == "finished"


def test_several_sets_are_kept_apart(store: Store) -> None:
    made = model()
    x, y = rows()
    with runlore.autolog("keras"):
        fit(made)
        first = made.evaluate(x, y, verbose=0)[0]
        second = made.evaluate(x[:5], y[:5], verbose=0)[0]
        made.evaluate(x, y, verbose=0)
    run = only(store)
    assert run.metrics["test/loss"].values.tolist() == [first]
    assert run.metrics["test/loss/test_2"].values.tolist() == [second]
    assert run.data["test"]["rows"] == 16
    assert run.data["test/test_2"]["rows"] == 5


def test_a_loaded_model_is_evaluated_for_the_run_that_wrote_it(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "{epoch}.keras"
    x, y = rows()
    with runlore.autolog("keras"):
        fit(model(), keras.callbacks.ModelCheckpoint(path))
        told = keras.models.load_model(tmp_path / "2.keras").evaluate(x, y, verbose=0, return_dict=True)
    run = only(store)
    assert run.metrics["test/loss"].steps.tolist() == [4]
    assert run.metrics["test/loss"].values.tolist() == [told["loss"]]


def test_a_model_saved_behind_its_fit_is_a_file_of_its_run(store: Store, tmp_path: Path) -> None:
    made = model()
    path = tmp_path / "final.keras"
    with runlore.autolog("keras"):
        fit(made)
        made.save(path)
        keras.saving.save_model(made, tmp_path / "again.keras")
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    run = only(store)
    assert {item.name for item in run.artifacts if item.kind == "model"} == {"final.keras", "again.keras"}
    found = next(item for item in run.artifacts if item.name == "final.keras")
    assert found.stored
    assert found.restore(tmp_path / "restored").read_bytes() == path.read_bytes()


def test_what_is_restored_by_early_stopping_is_what_is_evaluated(store: Store) -> None:
    made = model()
    x, y = rows()
    stopping = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9, restore_best_weights=True)
    fit(made, RunloreCallback(), stopping, epochs=9)
    told = made.evaluate(x, y, verbose=0)
    assert only(store).metrics["test/loss"].values.tolist() == [told[0]]
