"""`evaluate` after a fit, or of a loaded model: metrics and data are added to the run of the weights."""

import gc
import weakref
from pathlib import Path
from typing import Any

import keras
import pytest

import runlore
from runlore import Store
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only, rows, when, worsening


def test_evaluate_and_predict_alone_make_no_run(store: Store) -> None:
    made = model()
    x, y = rows()
    with runlore.autolog("keras"):
        made.evaluate(x, y, verbose=0)
        made.predict(x, verbose=0)
    assert len(store.runs()) == 0


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


def test_what_is_restored_by_early_stopping_is_what_is_evaluated(store: Store) -> None:
    made = model()
    x, y = rows()
    stopping = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9, restore_best_weights=True)
    fit(made, RunloreCallback(), stopping, epochs=9)
    told = made.evaluate(x, y, verbose=0)
    assert only(store).metrics["test/loss"].values.tolist() == [told[0]]


@pytest.mark.parametrize("place", ["behind the fit", "loaded"])
def test_weights_that_were_set_claim_no_step(place: str, store: Store, tmp_path: Path) -> None:
    made = model()
    x, y = rows()
    fit(made, RunloreCallback(), keras.callbacks.ModelCheckpoint(tmp_path / "last.keras"))
    if place == "loaded":
        made = keras.models.load_model(tmp_path / "last.keras")
    made.set_weights([weight * 2 for weight in made.get_weights()])
    made.evaluate(x, y, verbose=0)
    assert "test/loss" not in only(store).metrics


def test_a_loaded_model_is_evaluated_for_the_run_that_wrote_it(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "{epoch}.keras"
    x, y = rows()
    with runlore.autolog("keras"):
        fit(model(), keras.callbacks.ModelCheckpoint(path))
        told = keras.models.load_model(tmp_path / "2.keras").evaluate(x, y, verbose=0, return_dict=True)
    run = only(store)
    assert run.metrics["test/loss"].steps.tolist() == [4]
    assert run.metrics["test/loss"].values.tolist() == [told["loss"]]


def test_an_evaluation_that_fails_adds_nothing(store: Store) -> None:
    made = model()
    x, y = rows()
    fit(made, RunloreCallback())
    with pytest.raises(ValueError, match="no more"):
        made.evaluate(x, y, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_test_end=_fail)])
    told = made.evaluate(x, y, verbose=0)
    assert only(store).metrics["test/loss"].values.tolist() == [told[0]]


def _fail(logs: Any) -> None:
    raise ValueError("no more")


# Which weights: their step and epoch


def stopping(monitor: str = "loss", patience: int = 2) -> Any:
    return keras.callbacks.EarlyStopping(monitor, patience=patience, restore_best_weights=True)


def test_weights_that_early_stopping_restores_have_the_step_of_their_epoch(store: Store, tmp_path: Path) -> None:
    """An evaluation, a saved model and `which-run` told the last step, although the weights were of an earlier one."""
    made = model()
    x, y = rows()
    ending = keras.callbacks.LambdaCallback(on_train_end=lambda logs: made.save(tmp_path / "end.keras"))
    fit(made, RunloreCallback(), worsening(2), stopping(), ending, epochs=9)
    made.evaluate(x[:9], y[:9], verbose=0)
    made.save(tmp_path / "final.keras")
    made.save_weights(tmp_path / "final.weights.h5")
    keras.models.load_model(tmp_path / "end.keras").evaluate(x[:7], y[:7], verbose=0)
    run = only(store)
    assert run.metrics["loss"].steps.tolist() == [2, 4, 6, 8]
    for name in ("test/loss", "test/loss/test_2"):
        series = run.metrics[name]
        assert (series.steps.tolist(), series.epochs.tolist()) == ([4], [1])
    files = {item.name: (item.step, item.epoch) for item in run.artifacts if item.kind in ("model", "checkpoint")}
    assert files == dict.fromkeys(("end.keras", "final.keras", "final.weights.h5"), (4, 1))
    assert run.tags["stopped"] == "step 8, epoch 3: loss did not improve for 2 epochs"


def test_best_weights_are_restored_also_where_nothing_was_stopped(store: Store) -> None:
    made = model()
    fit(made, RunloreCallback(), worsening(2), stopping(patience=9))
    made.evaluate(*rows(), verbose=0)
    run = only(store)
    assert run.metrics["test/loss"].steps.tolist() == [4]
    assert "stopped" not in run.tags


def test_a_fit_that_goes_on_from_restored_weights_counts_on(store: Store) -> None:
    made = model()
    with runlore.autolog("keras"):
        fit(made, worsening(2), stopping(), epochs=9)
        fit(made)
        made.evaluate(*rows(), verbose=0)
    assert store.runs()[0].metrics["test/loss"].steps.tolist() == [14]


def test_weights_loaded_behind_or_in_a_fit_have_the_step_of_their_file(store: Store, tmp_path: Path) -> None:
    """A model that was saved again got the step at which its fit had ended."""
    made = model()
    keeping = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    restoring = keras.callbacks.LambdaCallback(
        on_train_end=lambda logs: (made.load_weights(tmp_path / "1.weights.h5"), made.save(tmp_path / "end.keras"))
    )
    x, y = rows()
    fit(made, RunloreCallback(), keeping, restoring)
    made.evaluate(x, y, verbose=0)
    made.load_weights(tmp_path / "2.weights.h5")
    made.evaluate(x[:9], y[:9], verbose=0)
    made.save(tmp_path / "again.keras")
    run = only(store)
    files = {item.name: (item.step, item.epoch) for item in run.artifacts if item.name.endswith(".keras")}
    assert files == {"end.keras": (2, 0), "again.keras": (4, 1)}
    found = [(run.metrics[name].steps.tolist(), run.metrics[name].epochs.tolist()) for name in
             ("test/loss", "test/loss/test_2")]  # fmt: skip
    assert found == [([2], [0]), ([4], [1])]


# In a fit


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="there Keras can't evaluate between batches")
def test_an_evaluation_in_a_callback_is_at_the_step_of_the_moment(store: Store) -> None:
    """What a callback evaluated was lost, unless it put the numbers into the epoch's own."""
    x, y = rows()
    made, told = model(), []
    aside = (x[:4], y[:4])

    def evaluate(batch: int, logs: Any) -> None:
        if batch == 1:
            told.append(made.evaluate(*aside, verbose=0)[0])

    calling = keras.callbacks.LambdaCallback(on_train_batch_end=evaluate)
    made.fit(x, y, batch_size=4, epochs=2, validation_data=aside, verbose=0, callbacks=[RunloreCallback(), calling])
    made.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[RunloreCallback("other"), calling])
    first, second = store.runs(sort="id")
    assert first.metrics["val/loss"].values.tolist() + second.metrics["test/loss"].values.tolist() == told
    assert (first.metrics["val/loss"].steps.tolist(), first.metrics["val/loss"].epochs.tolist()) == ([2, 6], [0, 1])
    assert (second.metrics["test/loss"].steps.tolist(), second.data["test"]["rows"]) == ([10, 14], 4)
    assert first.metrics["val_loss"].steps.tolist() == [4, 8]


def test_an_evaluation_in_the_fit_of_another_model_is_none_of_its_own_fit_later(store: Store) -> None:
    x, y = rows()
    other = model()
    with runlore.autolog("keras"):
        fit(model(), when(1, lambda: other.evaluate(x, y, verbose=0)))
        fit(other)
    own = ["learning_rate", "loss", "mae"]
    told = ["test/loss/Sequential", "test/mae/Sequential"]
    assert [sorted(run.metrics) for run in store.runs()] == [own, own + told]


# Before the fit


def test_an_evaluation_before_the_fit_is_its_baseline(store: Store) -> None:
    """Its numbers were lost."""
    x, y = rows()
    made, other = model(), model()
    with runlore.autolog("keras"):
        told = made.evaluate(x[:9], y[:9], verbose=0)[0]
        on_val = made.evaluate(x[9:], y[9:], verbose=0)[0]
        other.evaluate(x, y, verbose=0)
        fit(made, validation_data=(x[9:], y[9:]))
        again = made.evaluate(x[9:], y[9:], verbose=0)[0]
        made.evaluate(x[:9], y[:9], verbose=0)
    run = only(store)
    assert run.metrics["test/loss"].steps.tolist() == [0, 6]
    assert run.metrics["test/loss"].epochs.tolist() == [0, 2]
    assert run.metrics["test/loss"].values.tolist()[0] == told
    assert run.data["test"]["rows"] == 9
    assert run.metrics["val/loss"].values.tolist() == [on_val, again]
    assert (run.metrics["val/loss"].split, run.metrics["val/loss"].steps.tolist()) == ("val", [0, 6])
    assert run.metrics["val_loss"].steps.tolist() == [2, 4, 6]
    assert not [name for name in run.data if name.startswith("val/")]


def test_only_some_evaluations_wait_for_a_fit(store: Store) -> None:
    """A loop that never trains would have filled the memory."""
    x, y = rows(1)
    made = model()
    values = [made.evaluate(x * factor, y, verbose=0)[0] for factor in range(22)]
    fit(made, RunloreCallback())
    run = only(store)
    told = [value for name, series in run.metrics.items() if name.startswith("test/loss") for value in series.values]
    assert sorted(told) == sorted(values[:20])


def test_a_baseline_holds_neither_model_nor_data(store: Store) -> None:
    made = model()
    data = Batches(*rows())
    gone = [weakref.ref(made)]
    if keras.backend.backend() != "tensorflow":  # which keeps the generator of a dataset in its graph, also without us
        gone.append(weakref.ref(data))
    with runlore.autolog("keras"):
        made.evaluate(data, verbose=0)
        del data, made
        keras.utils.clear_session()
        gc.collect()
    assert not [reference() for reference in gone if reference() is not None]


def test_weights_that_have_changed_since_have_no_baseline(store: Store, tmp_path: Path) -> None:
    x, y = rows()
    trained, loaded, refitted = model(), model(), model()
    path = tmp_path / "foreign.weights.h5"
    model().save_weights(path)
    for made in (trained, loaded, refitted):
        made.evaluate(x, y, verbose=0)
    trained.train_on_batch(x, y)
    loaded.load_weights(path)
    fit(refitted)
    for made in (trained, loaded, refitted):
        fit(made, RunloreCallback())
    assert [sorted(run.metrics) for run in store.runs()] == [["learning_rate", "loss", "mae"]] * 3


def test_the_baseline_of_loaded_weights_is_at_the_beginning_of_their_fit(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "foreign.weights.h5"
    model().save_weights(path)
    made = model()
    made.load_weights(path)
    x, y = rows()
    kept = Batches(x, y)
    made.evaluate(kept, verbose=0)
    fit(made, RunloreCallback())
    made.evaluate(kept, verbose=0)
    run = only(store)
    assert run.metrics["test/loss"].steps.tolist() == [0, 6]
    assert run.data["test"]["batches"] == 1


def test_a_dataset_of_the_fits_own_validation_keeps_its_name(store: Store) -> None:
    x, y = rows()
    batches, noisy = Batches(x, y), Batches(x, y * 2)
    made = model()
    made.evaluate(batches, verbose=0)
    fit(made, RunloreCallback(), validation_data=batches)
    made.evaluate(batches, verbose=0)
    made.evaluate(noisy, verbose=0)
    run = only(store)
    assert run.metrics["val/loss"].steps.tolist() == [0, 6]
    assert run.metrics["val_loss"].steps.tolist() == [2, 4, 6]
    assert run.metrics["test/loss"].steps.tolist() == [6]


# Several sets


class Batches(keras.utils.PyDataset):
    def __init__(self, x: Any, y: Any) -> None:
        super().__init__()
        self.x, self.y = x, y

    def __len__(self) -> int:
        return 1

    def __getitem__(self, place: int) -> Any:
        return self.x, self.y


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


def test_a_set_is_named_as_the_user_names_it(store: Store) -> None:
    made = model()
    x, y = rows()
    noisy, x_val = x + 1, {"scaled": x * 2}["scaled"]
    with runlore.autolog("keras"):
        fit(made)
        told = [made.evaluate(part, y, verbose=0)[0] for part in (x,)]
        told += [made.evaluate(noisy, y, verbose=0)[0], made.evaluate(x=x_val, y=y, verbose=0)[0]]
    run = only(store)
    found = [run.metrics[f"test/loss{ending}"].values.tolist() for ending in ("", "/noisy", "/val")]
    assert found == [[value] for value in told]
    assert {"test/noisy", "test/noisy_y", "test/val"} <= run.data.keys()


def test_sets_that_are_no_arrays_are_kept_apart(store: Store) -> None:
    """Data without a fingerprint shared the plain names, one set over the other."""
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
    """A model that is loaded anew did not know which sets its run had met before."""
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
    """Sets were told apart by `id`, which the next object gets when one is gone."""
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
    """A list of inputs has no fingerprint of its own, so two of them could pass for one."""
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
