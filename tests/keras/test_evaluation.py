"""`evaluate` after a fit, or of a loaded model: metrics and data are added to the run of the weights."""

from pathlib import Path
from typing import Any

import keras
import pytest

import runlore
from runlore import Store
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only, rows


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


# Several sets


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
