"""What once broke a fit, lost a run, or told something untrue."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import runlore
from runlore import FitSession, Store, guest
from runlore_keras import RunloreCallback
from tests.keras.models import ROOT, fit, model, only, rows, when
from tests.process import Process

Python = Callable[..., Process]


class AsInTheGuide(keras.callbacks.Callback):
    """Stops early by names that Keras's own callback has, too, but for one."""

    def __init__(self) -> None:
        super().__init__()
        self.patience = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.stopped_epoch = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            self.stopped_epoch = epoch
            self.model.stop_training = True


def test_callbacks_of_the_users_may_look_like_keras_own(store: Store) -> None:
    history = fit(model(), AsInTheGuide(), RunloreCallback(), epochs=5)
    assert len(history.history["loss"]) == 2
    assert only(store).tags["stopped"] == "epoch 1: stop_training was set, with 3 epochs to go"


@pytest.mark.parametrize("held", [{"backup_dir": True}, {"filepath": "x", "save_best_only": True}])
def test_attributes_of_the_users_callbacks_cost_nothing(store: Store, tmp_path: Path, held: dict[str, Any]) -> None:
    odd = keras.callbacks.LambdaCallback()
    vars(odd).update(held)
    fit(model(), odd, RunloreCallback(), keras.callbacks.ModelCheckpoint(tmp_path / "x.keras"))
    assert len([item for item in only(store).artifacts if item.kind == "checkpoint"]) == 3


class Own(keras.Sequential):
    def fit(self, fail: bool = False) -> None:
        callbacks = keras.callbacks.CallbackList(None, add_history=True, model=self, epochs=1, steps=1)
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        if fail:
            raise ValueError("own")
        callbacks.on_epoch_end(0, {"loss": 1.0})
        callbacks.on_train_end({})


def test_a_loop_that_was_left_swallows_no_later_fit(store: Store) -> None:
    made = Own([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    kept = []
    with runlore.autolog("keras"):
        try:
            made.fit(fail=True)
        except ValueError as error:
            kept.append(error)  # as sys.last_value does
        for _ in range(2):
            fit(model())
    assert [run.status for run in store.runs(sort="id")] == ["running", "finished", "finished"]
    kept.clear()


class Drawing(keras.optimizers.schedules.LearningRateSchedule):
    """Counts its calls, and draws."""

    calls = 0

    def __call__(self, step: Any) -> Any:
        type(self).calls += 1
        return float(np.random.uniform(0.001, 0.1))

    def get_config(self) -> dict[str, Any]:
        return {}


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="others trace the schedule")
def test_a_schedule_of_the_users_is_not_called_for_the_record(store: Store) -> None:
    found = []
    for callbacks in ([], [RunloreCallback()]):
        made = model()
        made.compile(keras.optimizers.SGD(Drawing()), "mse")
        Drawing.calls = 0
        fit(made, *callbacks)
        found.append((Drawing.calls, [weight.tobytes() for weight in made.get_weights()]))
    assert found[0] == found[1]
    assert only(store).metrics["loss"].count == 3


def test_a_session_that_ended_elsewhere_swallows_no_fit(store: Store) -> None:
    session = FitSession.begin("mine")
    thread = threading.Thread(target=session.end)
    thread.start()
    thread.join()
    assert not guest.in_fit()
    fit(model(), RunloreCallback())
    assert len(store.runs()) == 2


def test_a_callback_that_several_fits_share_loses_none_of_them(store: Store) -> None:
    shared = RunloreCallback()
    fit(model(), shared, when(0, lambda: fit(model(), shared)), epochs=4)
    assert only(store).metrics["loss"].count == 4
    threads = [threading.Thread(target=fit, args=(model(), shared)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.metrics["loss"].count for run in store.runs()) == [3, 3, 3, 4]


def test_a_callback_of_an_earlier_fit_takes_nothing_of_a_later_one(store: Store) -> None:
    first, second = RunloreCallback("first"), RunloreCallback("second")
    fit(model(), second)
    fit(model(), first, second, epochs=5)
    assert [run.metrics["loss"].count for run in store.runs(sort="id")] == [3, 5]


# Whose weights are these?


def test_weights_that_were_trained_on_are_no_runs(store: Store, tmp_path: Path) -> None:
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
    made = model()
    fit(made, RunloreCallback())
    fit(made, keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"))
    assert [item.name for item in only(store).artifacts if item.kind != "code"] == []


def test_weights_loaded_in_the_midst_of_a_fit_are_no_origin_of_the_next(store: Store, tmp_path: Path) -> None:
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
    path = tmp_path / "x.weights.h5"
    other = model()
    other.save_weights(path)
    made = model()
    fit(made, RunloreCallback())
    made.load_weights(path)
    path.unlink()
    made.evaluate(*rows(), verbose=0)
    assert "test/loss" not in only(store).metrics


def test_sets_that_are_no_arrays_are_kept_apart(store: Store) -> None:
    made = model()
    x, y = rows()

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, place: int) -> Any:
            return x, y

    fit(made, RunloreCallback())
    kept = [Batches(), Batches()]
    for batches in (*kept, kept[0]):
        made.evaluate(batches, verbose=0)
    made.evaluate(x, y + 1, verbose=0)
    names = [name for name in only(store).metrics if name.startswith("test/loss")]
    assert sorted(names) == ["test/loss", "test/loss/test_2", "test/loss/test_3"]
    assert only(store).data["test"]["batches"] == 1


def test_sets_that_a_loaded_model_meets_are_kept_apart_too(store: Store, tmp_path: Path) -> None:
    made = model()
    x, y = rows()
    with runlore.autolog("keras"):
        fit(made)
        first = made.evaluate(x[:5], y[:5], verbose=0)[0]
        made.save(tmp_path / "final.keras")
        second = keras.models.load_model(tmp_path / "final.keras").evaluate(x, y, verbose=0)[0]
        keras.models.load_model(tmp_path / "final.keras").evaluate(x[:5], y[:5], verbose=0)
    run = only(store)
    assert run.metrics["test/loss"].values.tolist() == [first]
    assert run.metrics["test/loss/test_2"].values.tolist() == [second]
    assert (run.data["test"]["rows"], run.data["test/test_2"]["rows"]) == (5, 16)


def test_sets_made_for_one_evaluation_are_kept_apart(store: Store) -> None:
    x, y = rows()

    class Batches(keras.utils.PyDataset):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def __len__(self) -> int:
            return 1

        def __getitem__(self, place: int) -> Any:
            return x * self.factor, y

    made = model()
    fit(made, RunloreCallback())
    told = [made.evaluate(Batches(factor), verbose=0)[0] for factor in (1.0, 2.0, 3.0)]
    run = only(store)
    names = ("test/loss", "test/loss/test_2", "test/loss/test_3")
    assert [run.metrics[name].values.tolist() for name in names] == [[value] for value in told]


def test_sets_of_several_inputs_are_kept_apart(store: Store) -> None:
    inputs = [keras.Input((3,)), keras.Input((3,))]
    made = keras.Model(inputs, keras.layers.Dense(1)(inputs[0] + inputs[1]))
    made.compile("sgd", "mse")
    x, y = rows()
    made.fit([x, x], y, verbose=0, callbacks=[RunloreCallback()])
    told = [made.evaluate([x * factor, x], y, verbose=0) for factor in (1, 9)]
    run = only(store)
    assert run.metrics["test/loss"].values.tolist() == [told[0]]
    assert run.metrics["test/loss/test_2"].values.tolist() == [told[1]]
    assert run.data["test/test_2.0"]["fingerprint"] != run.data["test.0"]["fingerprint"]


def test_compiling_anew_trains_nothing(store: Store, tmp_path: Path) -> None:
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


def test_a_list_without_a_model_works_as_without_us(store: Store) -> None:
    with runlore.autolog("keras"):
        listed = keras.callbacks.CallbackList([])
        listed.on_train_begin()
        listed.on_train_end()
    assert len(store.runs()) == 0


def test_a_model_saved_behind_its_fit_knows_its_step(store: Store, tmp_path: Path) -> None:
    made = model()
    with runlore.autolog("keras"):
        fit(made)
        made.save(tmp_path / "final.keras")
        keras.models.load_model(tmp_path / "final.keras").evaluate(*rows(), verbose=0)
    assert only(store).metrics["test/loss"].steps.tolist() == [6]


def test_weights_of_a_legacy_file_go_on_as_the_same_run(store: Store, tmp_path: Path) -> None:
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


def test_a_part_of_a_model_saved_in_its_fit_is_recorded(store: Store, tmp_path: Path) -> None:
    made = model()
    part = keras.Sequential([keras.Input((3,)), made.layers[0]])
    fit(made, RunloreCallback(), when(1, lambda: part.save(tmp_path / "part.keras")))
    (found,) = [item for item in only(store).artifacts if item.kind == "checkpoint"]
    assert (found.name, found.step, found.roles) == ("part.keras", 4, ())


def test_only_what_the_callback_has_written_is_the_best(store: Store, tmp_path: Path) -> None:
    made = model()
    keeping = keras.callbacks.ModelCheckpoint(tmp_path / "m-{epoch}.keras", "loss", save_best_only=True)
    fit(made, RunloreCallback(), keeping, when(2, lambda: made.save(tmp_path / "m-last.keras")))
    run = only(store)
    assert run.artifact("best").name.startswith("m-")
    assert run.artifact("best").name != "m-last.keras"


def test_a_folder_saved_behind_a_fit_is_recorded(store: Store, tmp_path: Path) -> None:
    made = model()
    with runlore.autolog("keras"):
        fit(made)
        keras.saving.save_model(made, tmp_path / "folder", zipped=False)
    assert [item.name for item in only(store).artifacts if item.kind == "model"] == ["folder"]


def test_a_list_of_the_users_is_as_it_was_where_nothing_is_recorded(store: Store) -> None:
    inner = model()
    listed = keras.callbacks.CallbackList([], add_history=True, model=inner, epochs=1, steps=2, verbose=0)
    before = list(listed.callbacks)
    with runlore.autolog("keras"):
        fit(model(), when(0, lambda: inner.fit(*rows(), verbose=0, callbacks=listed)))
    assert listed.callbacks == before
    inner.fit(*rows(), verbose=0, callbacks=listed)
    assert len(store.runs()) == 1


def test_a_table_with_a_column_named_dataset_is_a_table(store: Store) -> None:
    table = pd.DataFrame(rows()[0], columns=["dataset", "b", "c"])
    model().fit(table, rows()[1], verbose=0, callbacks=[RunloreCallback()])
    assert only(store).data["x"]["columns"] == ["dataset", "b", "c"]


class Nosy(keras.layers.Layer):
    """A layer that can't be asked how it was made."""

    def get_config(self) -> Any:
        raise KeyboardInterrupt

    def call(self, x: Any) -> Any:
        return x


def test_a_layer_of_the_users_is_asked_nothing(store: Store) -> None:
    made = keras.Sequential([keras.Input((3,)), Nosy(), keras.layers.Dense(1, activation="relu")])
    made.compile("sgd", "mse")
    fit(made, RunloreCallback())
    params = only(store).params
    assert (params["layers.0.class"], params["layers.1.activation"]) == ("Nosy", "relu")


class BadLoss(keras.losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean((y_true - y_pred) ** 2)

    def get_config(self) -> Any:
        raise ValueError("can't be told")


def test_a_loss_of_the_users_costs_nothing_else(store: Store) -> None:
    made = model()
    made.compile("sgd", BadLoss(), metrics=["mae"])
    fit(made, RunloreCallback())
    params = only(store).params
    assert (params["compile.loss"], params["compile.metrics"]) == ("BadLoss", ["mae"])


def test_values_that_callbacks_change_are_those_of_the_history(store: Store) -> None:
    changing = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(loss=-1.0))
    history = fit(model(), RunloreCallback(), changing)
    assert only(store).metrics["loss"].values.tolist() == history.history["loss"] == [-1.0] * 3


class Unreadable(keras.optimizers.SGD):
    readable = False

    @property
    def iterations(self) -> Any:
        if sys._getframe(1).f_code.co_filename.endswith("_metrics.py") and not self.readable:
            raise RuntimeError("no iterations here")
        return super().iterations


def test_an_optimizer_that_can_not_be_asked_fails_nothing(store: Store) -> None:
    made = model()
    made.compile(Unreadable(0.1), "mse")
    fit(made, RunloreCallback())
    assert (only(store).status, only(store).metrics["loss"].count) == ("finished", 3)


CHANGED = """
import warnings
import keras
from keras.src.saving import saving_lib
keras.__version__ = "9.9.9"
load = saving_lib.load_model
del saving_lib.load_model
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from runlore_keras import RunloreCallback
    from runlore_keras import RunloreCallback
print(*sorted(str(item.message)[:29] for item in caught if item.category.__name__ == "RunloreWarning"), sep="|")
from tests.keras.models import ROOT, fit, model
fit(model(), RunloreCallback())
"""


def test_another_version_is_warned_of_once_and_recorded(store: Store, python: Python) -> None:
    told = python(CHANGED, PYTHONPATH=ROOT, KERAS_BACKEND=keras.backend.backend()).succeed()
    assert told.splitlines()[-1] == "Keras 9.9.9 is not tested wit|Keras has changed inside: not"
    assert only(store).metrics["loss"].count == 3
