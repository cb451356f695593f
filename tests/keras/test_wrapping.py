"""The functions of Keras that are wrapped: every way to fit is recorded, and looks as it does without runlore."""

import gc
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import runlore
from runlore import Store
from tests.keras.models import ROOT, fit, model, only, rows, when
from tests.process import Process

Python = Callable[..., Process]


@pytest.mark.parametrize("form", ["none", "one", "list", "tuple", "CallbackList"])
def test_every_form_of_callbacks_makes_one_complete_run_a_fit(store: Store, form: str) -> None:
    made = model()
    x, y = rows()
    other = keras.callbacks.EarlyStopping("loss", patience=9)
    forms: dict[str, Any] = {"none": None, "one": other, "list": [other], "tuple": (other,)}
    given = (
        forms[form]
        if form in forms
        else keras.callbacks.CallbackList([other], add_history=True, model=made, epochs=3, steps=2, verbose=0)
    )
    inner = given.callbacks if form == "CallbackList" else given
    before = None if inner is None or form == "one" else len(inner)
    with runlore.autolog("keras"):
        for _ in range(2):
            made.fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=given)
    assert [run.metrics["loss"].count for run in store.runs()] == [3, 3]
    assert [run.status for run in store.runs()] == ["finished", "finished"]
    assert before is None or len(inner) == before


def test_the_return_value_is_keras_own_history(store: Store) -> None:
    made = model()
    with runlore.autolog("keras"):
        history = fit(made)
    assert type(history) is keras.callbacks.History
    assert made.history is history


def test_a_list_of_the_users_is_as_it_was_where_nothing_is_recorded(store: Store) -> None:
    """Our callback stayed in the user's list if the fit was a part of another one."""
    inner = model()
    listed = keras.callbacks.CallbackList([], add_history=True, model=inner, epochs=1, steps=2, verbose=0)
    before = list(listed.callbacks)
    with runlore.autolog("keras"):
        fit(model(), when(0, lambda: inner.fit(*rows(), verbose=0, callbacks=listed)))
    assert listed.callbacks == before
    inner.fit(*rows(), verbose=0, callbacks=listed)
    assert len(store.runs()) == 1


def test_a_list_without_a_model_works_as_without_us(store: Store) -> None:
    """A CallbackList without a model was taken for a fit."""
    with runlore.autolog("keras"):
        listed = keras.callbacks.CallbackList([])
        listed.on_train_begin()
        listed.on_train_end()
    assert len(store.runs()) == 0


class Overriding(keras.Sequential):
    def fit(self, *args: Any, **kwargs: Any) -> Any:
        return super().fit(*args, **{**kwargs, "epochs": 2})


def test_an_overridden_fit_is_recorded(store: Store) -> None:
    made = Overriding([keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    with runlore.autolog("keras"):
        fit(made)
    run = only(store)
    assert (run.status, run.metrics["loss"].count, run.params["fit.epochs"]) == ("finished", 2, 2)


class Own(keras.Sequential):
    """A loop of the user's, with Keras's list of callbacks."""

    def fit(self, fail: bool = False) -> None:
        x, y = rows(8)
        callbacks = keras.callbacks.CallbackList(None, add_history=True, model=self, epochs=2, steps=1)
        callbacks.on_train_begin()
        for epoch in range(2):
            callbacks.on_epoch_begin(epoch)
            loss = self.train_on_batch(x, y)
            if fail:
                raise ValueError("own")
            callbacks.on_epoch_end(epoch, {"loss": float(np.asarray(loss).reshape(-1)[0])})
        callbacks.on_train_end({})


def test_a_loop_of_the_users_is_recorded(store: Store) -> None:
    made = Own([keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    with runlore.autolog("keras"):
        made.fit()
        run = only(store)
        assert (run.status, run.metrics["loss"].steps.tolist()) == ("finished", [1, 2])
        with pytest.raises(ValueError, match="own"):
            made.fit(fail=True)
        gc.collect()
    assert [run.status for run in store.runs()] == ["failed", "finished"]


class Untrained(keras.Sequential):
    """A loop that trains nothing, and may fail in the midst of an epoch."""

    def fit(self, fail: bool = False) -> None:
        callbacks = keras.callbacks.CallbackList(None, add_history=True, model=self, epochs=1, steps=1)
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        if fail:
            raise ValueError("own")
        callbacks.on_epoch_end(0, {"loss": 1.0})
        callbacks.on_train_end({})


def test_a_loop_that_was_left_swallows_no_later_fit(store: Store) -> None:
    """A loop stayed under way while its exception was kept, and fits after it counted as parts of it."""
    made = Untrained([keras.Input((3,)), keras.layers.Dense(1)])
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


def test_another_version_is_warned_of_once_and_recorded(store: Store, warm_python: Python) -> None:
    told = warm_python(CHANGED, PYTHONPATH=ROOT, KERAS_BACKEND=keras.backend.backend()).succeed()
    assert told.splitlines()[-1] == "Keras 9.9.9 is not tested wit|Keras has changed inside: not"
    assert only(store).metrics["loss"].count == 3
