"""Files that models are saved to, in a fit and after it, and fits that go on from one."""

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


@pytest.mark.shows("keras", "checkpoints")
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


def test_a_part_of_a_model_saved_in_its_fit_is_recorded(store: Store, tmp_path: Path) -> None:
    """Only the fitted model itself was looked up, so a part of it was not recorded."""
    made = model()
    part = keras.Sequential([keras.Input((3,)), made.layers[0]])
    fit(made, RunloreCallback(), when(1, lambda: part.save(tmp_path / "part.keras")))
    (found,) = [item for item in only(store).artifacts if item.kind == "checkpoint"]
    assert (found.name, found.step, found.roles) == ("part.keras", 4, ())


def test_a_legacy_file_is_a_checkpoint(store: Store, tmp_path: Path) -> None:
    keeping = keras.callbacks.ModelCheckpoint(tmp_path / "old.h5")
    fit(model(), RunloreCallback(), keeping)
    assert [item.name for item in saved(only(store))] == ["old.h5"] * 3


def test_only_what_the_callback_has_written_is_the_best(store: Store, tmp_path: Path) -> None:
    """A field of the template matched any text, so another file took the role of the best."""
    made = model()
    keeping = keras.callbacks.ModelCheckpoint(tmp_path / "m-{epoch}.keras", "loss", save_best_only=True)
    fit(made, RunloreCallback(), keeping, when(2, lambda: made.save(tmp_path / "m-last.keras")))
    run = only(store)
    assert run.artifact("best").name.startswith("m-")
    assert run.artifact("best").name != "m-last.keras"


def test_several_callbacks_that_rank_have_roles_of_their_own(store: Store, tmp_path: Path) -> None:
    """The role of the best went to whatever callback had written last."""
    values = {"first": iter([3.0, 1.0, 2.0]), "second": iter([3.0, 2.0, 1.0])}
    scoring = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update({name: next(value) for name, value in values.items()})
    )
    ranking = [
        keras.callbacks.ModelCheckpoint(tmp_path / f"{place}.keras", monitor, save_best_only=True, mode="min")
        for place, monitor in enumerate(("first", "second", "first"))
    ]
    each = keras.callbacks.ModelCheckpoint(tmp_path / "each-{epoch}.keras")
    fit(model(), RunloreCallback(), scoring, each, *ranking)
    run = only(store)
    found = {role: (run.artifact(role).name, run.artifact(role).step, run.artifact(role).monitor) for role in (
        "best", "best_first", "best_first_2", "best_second", "last")}  # fmt: skip
    assert found == {
        "best": ("0.keras", 4, "first"), "best_first": ("0.keras", 4, "first"), "best_first_2": ("2.keras", 4, "first"),
        "best_second": ("1.keras", 6, "second"), "last": ("1.keras", 6, "second"),
    }  # fmt: skip
    assert run.artifact("best").value == 1.0
    assert run.artifact("best").stored


@pytest.mark.parametrize("held", [{"backup_dir": True}, {"filepath": "x", "save_best_only": True}])
def test_attributes_of_the_users_callbacks_cost_nothing(store: Store, tmp_path: Path, held: dict[str, Any]) -> None:
    """Callbacks were told by attributes, and one of another type made the record of a checkpoint fail."""
    odd = keras.callbacks.LambdaCallback()
    vars(odd).update(held)
    fit(model(), odd, RunloreCallback(), keras.callbacks.ModelCheckpoint(tmp_path / "x.keras"))
    assert len([item for item in only(store).artifacts if item.kind == "checkpoint"]) == 3


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


@pytest.mark.parametrize("suffix", [".keras", pytest.param(".weights.h5", marks=pytest.mark.stress)])
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


# Going on


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


@pytest.mark.shows("keras", "resume as lineage")
@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_backup_and_restore_goes_on_as_the_same_run(
    store: Store, tmp_path: Path, warm_python: Python, how: str
) -> None:
    killed = warm_python(KILLED, str(tmp_path), how, "wait", PYTHONPATH=ROOT)
    assert killed.line() == "here"
    assert only(store).status == "running"
    killed.kill()
    assert only(store).status == "crashed"
    warm_python(KILLED, str(tmp_path), how, "none", PYTHONPATH=ROOT).succeed()
    run = only(store)
    assert (run.status, len(run.segments)) == ("finished", 2)
    assert run.metrics["loss"].steps.tolist() == [2, 4, 6, 8, 10, 12]
    assert run.metrics["loss"].epochs.tolist() == [0, 1, 2, 3, 4, 5]


def test_weights_of_a_legacy_file_go_on_as_the_same_run(store: Store, tmp_path: Path) -> None:
    """`load_weights` went unnoticed for files of the older format."""
    path = tmp_path / "old.h5"

    def fail() -> None:
        raise ValueError("crash")

    with runlore.autolog("keras"):
        with pytest.raises(ValueError, match="crash"):
            fit(model(), keras.callbacks.ModelCheckpoint(path), when(1, fail))
        again = model()
        again.load_weights(path)
        fit(again, initial_epoch=2)
    assert (only(store).status, len(only(store).segments)) == ("finished", 2)


# After the fit


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


def test_a_model_saved_behind_its_fit_knows_its_step(store: Store, tmp_path: Path) -> None:
    """The file had no step, so numbers of a model that was loaded from it had none."""
    made = model()
    with runlore.autolog("keras"):
        fit(made)
        made.save(tmp_path / "final.keras")
        keras.models.load_model(tmp_path / "final.keras").evaluate(*rows(), verbose=0)
    assert only(store).metrics["test/loss"].steps.tolist() == [6]


def test_a_folder_saved_behind_a_fit_is_recorded(store: Store, tmp_path: Path) -> None:
    """A folder was read like a file, and not recorded."""
    made = model()
    with runlore.autolog("keras"):
        fit(made)
        keras.saving.save_model(made, tmp_path / "folder", zipped=False)
    assert [item.name for item in only(store).artifacts if item.kind == "model"] == ["folder"]
