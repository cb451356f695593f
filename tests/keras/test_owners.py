"""The run or the file that the weights of a model come from, and when they no longer do."""

import copy
import os
import warnings
from pathlib import Path
from typing import Any

import keras
import pytest

import runlore
from runlore import Store
from runlore_keras import RunloreCallback
from runlore_keras._owners import owners
from runlore_keras._wrapping import wrapped
from tests.keras.models import fit, model, only, rows, when, worsening


def test_a_second_fit_of_a_model_is_linked_to_the_first(store: Store) -> None:
    made = model()
    fit(made, RunloreCallback())
    fit(made, RunloreCallback())
    second, first = store.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]
    assert second.metrics["loss"].steps.tolist() == [8, 10, 12]


def test_weights_that_were_trained_on_are_no_runs(store: Store, tmp_path: Path) -> None:
    """Training that is not recorded left the run before as the one that later numbers were added to."""
    made = model()
    x, y = rows()
    path = tmp_path / "x.keras"
    fit(made, RunloreCallback(), keras.callbacks.ModelCheckpoint(path))
    fit(made)
    made.evaluate(x, y, verbose=0)
    made.save(tmp_path / "later.keras")
    loaded = keras.models.load_model(path)
    loaded.train_on_batch(x, y)
    loaded.evaluate(x, y, verbose=0)
    other = model()
    fit(other, RunloreCallback("other"))
    other.train_on_batch(x, y)
    other.evaluate(x, y, verbose=0)
    for run in store.runs():
        assert "test/loss" not in run.metrics
        assert "later.keras" not in {item.name for item in run.artifacts}


def test_an_unrecorded_fit_copies_no_checkpoints(store: Store, tmp_path: Path) -> None:
    """Its checkpoints were added to the run before, as models that are saved after a fit."""
    made = model()
    fit(made, RunloreCallback())
    fit(made, keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"))
    assert [item.name for item in only(store).artifacts if item.kind != "code"] == []


def test_compiling_anew_trains_nothing(store: Store, tmp_path: Path) -> None:
    """A new optimizer, which has made no steps, made the weights look as if they were trained on."""
    made = model()
    x, y = rows()
    path = tmp_path / "x.keras"
    with runlore.autolog("keras"):
        fit(made, keras.callbacks.ModelCheckpoint(path))
        made.compile("adam", "mse", metrics=["mae"])
        made.evaluate(x, y, verbose=0)
        again = keras.models.load_model(path)
        again.compile("adam", "mse")
        fit(again)
    second, first = store.runs()
    assert first.metrics["test/loss"].count == 1
    assert second.links == [{"kind": "resumed_from", "run": first.id, "step": 6}]


def test_a_forked_child_goes_on_with_its_parents_models(store: Store) -> None:
    made = model()
    fit(made, RunloreCallback())
    with warnings.catch_warnings(action="ignore"):  # a backend may warn of its threads
        child = os.fork()
    if child == 0:
        os._exit(0 if owners().place_of(made) is not None and wrapped().is_wanted("callback") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Loaded weights


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
    """The weights that were read from it are still known as those of the run."""
    path = tmp_path / "x.keras"
    with runlore.autolog("keras"):
        fit(model(), keras.callbacks.ModelCheckpoint(path))
        again = keras.models.load_model(path)
        path.write_bytes(b"something else")
        fit(again)
    second, first = store.runs()
    assert second.links == [{"kind": "started_from", "run": first.id, "step": 6}]


def test_weights_loaded_in_the_midst_of_a_fit_are_no_origin_of_the_next(store: Store, tmp_path: Path) -> None:
    """A file that a callback loads stayed the origin of weights that were trained on since."""
    foreign = model()
    path = tmp_path / "foreign.weights.h5"
    with runlore.autolog("keras"):
        fit(foreign, keras.callbacks.ModelCheckpoint(path, save_weights_only=True))
        made = model()
        fit(made, when(0, lambda: made.load_weights(path)))
        made.evaluate(*rows(), verbose=0)
        fit(made)
    third, second, first = store.runs()
    assert third.links == [{"kind": "refit_of", "run": second.id}]
    assert "test/loss" in second.metrics
    assert "test/loss" not in first.metrics


def test_weights_of_a_file_that_is_gone_are_nobodys(store: Store, tmp_path: Path) -> None:
    """Without its file, a loaded model counted as the result of its last fit."""
    path = tmp_path / "x.weights.h5"
    other = model()
    other.save_weights(path)
    made = model()
    fit(made, RunloreCallback())
    made.load_weights(path)
    path.unlink()
    made.evaluate(*rows(), verbose=0)
    assert "test/loss" not in only(store).metrics


def test_a_copy_of_a_model_belongs_to_the_run_that_made_its_weights(store: Store) -> None:
    """Its evaluation was lost, and its fit was linked to nothing."""
    made, x_y = model(), rows()
    fit(made, RunloreCallback("first"))
    copied = keras.models.clone_model(made)
    copied.compile("sgd", "mse")
    copied.set_weights(made.get_weights())
    copied.evaluate(*x_y, verbose=0)
    fit(copied, RunloreCallback("second"))
    tested = store.run("first").metrics["test/loss"]
    assert (tested.steps.tolist(), tested.epochs.tolist()) == ([6], [2])
    assert "test/loss" not in store.run("second").metrics
    assert store.run("second").links == [{"kind": "started_from", "run": store.run("first").id, "step": 6}]


def test_a_baseline_is_of_the_weights_that_were_evaluated(store: Store) -> None:
    """An evaluation of weights that the fit did not begin with was its step 0."""
    made, x_y = model(), rows()
    made.evaluate(*x_y, verbose=0)
    made.set_weights([weights * 2 for weights in made.get_weights()])
    scores = made.evaluate(*x_y, verbose=0)
    fit(made, RunloreCallback())
    assert only(store).metrics["test/loss"].values.tolist() == [pytest.approx(scores[0])]
    other = model()
    other.evaluate(*x_y, verbose=0)
    other.set_weights([weights * 2 for weights in other.get_weights()])
    fit(other, RunloreCallback("other"))
    assert "test/loss" not in store.run("other").metrics


class Keeping(keras.callbacks.Callback):
    """Keeps the best weights by hand, and sets them back at the end, or leaves that to the script."""

    def __init__(self, *, sets: bool) -> None:
        super().__init__()
        self._sets = sets
        self._least = float("inf")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs["loss"] < self._least:
            self._least, self.kept = logs["loss"], copy.deepcopy(self.model.get_weights())

    def on_train_end(self, logs: Any = None) -> None:
        if self._sets:
            self.model.set_weights(self.kept)


@pytest.mark.parametrize("sets", [True, False])
def test_weights_that_were_kept_by_hand_have_the_step_of_their_epoch(store: Store, tmp_path: Path, sets: bool) -> None:
    """An evaluation in the fit and a saved model told the last step; behind the fit, they were of no run."""
    made, other = model(), model()
    x, y = rows()
    keeping = Keeping(sets=sets)
    ending = keras.callbacks.LambdaCallback(on_train_end=lambda logs: made.save(tmp_path / "end.keras"))
    fit(made, RunloreCallback(), worsening(2), keeping, ending, epochs=4)
    other.set_weights(keeping.kept)
    made.set_weights(keeping.kept)
    made.evaluate(x[:9], y[:9], verbose=0)
    other.evaluate(x[:7], y[:7], verbose=0)
    made.save(tmp_path / "final.keras")
    made.set_weights([weight * 2 for weight in keeping.kept])
    made.evaluate(x[:5], y[:5], verbose=0)  # of weights that nobody has trained
    run = only(store)
    assert [name for name in run.metrics if name.startswith("test/loss")] == ["test/loss", "test/loss/test_2"]
    for name in ("test/loss", "test/loss/test_2"):
        series = run.metrics[name]
        assert (series.steps.tolist(), series.epochs.tolist()) == ([4], [1])
    files = {item.name: (item.step, item.epoch) for item in run.artifacts if item.kind in ("model", "checkpoint")}
    assert files == {"end.keras": (4, 1) if sets else (8, 3), "final.keras": (4, 1)}
