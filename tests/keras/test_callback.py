"""The callback that users give to a fit: its options, copies, several of them, one for several fits."""

import copy
import pickle
import threading
from typing import Any

import keras
import pytest

import runlore
from runlore import Store
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only, when


def test_a_callback_in_a_reused_list_makes_one_run_a_fit(store: Store) -> None:
    callbacks = [RunloreCallback("again"), RunloreCallback()]
    for _ in range(2):
        fit(model(), callbacks=callbacks)
    assert len(callbacks) == 2
    assert [run.name for run in store.runs()] == ["again", "again"]
    assert [run.metrics["loss"].count for run in store.runs()] == [3, 3]


def test_the_users_callback_goes_before_autologs(store: Store) -> None:
    with runlore.autolog("keras"):
        fit(model(), RunloreCallback("mine", experiment="digits", tags={"team": "vision"}))
    run = only(store)
    assert (run.name, run.experiment, run.tags["team"]) == ("mine", "digits", "vision")


def test_a_callback_that_several_fits_share_loses_none_of_them(store: Store) -> None:
    """The callback held the one fit that it recorded, and the next one took its place."""
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
    """The second callback in a list wrote a later fit's numbers into the run of its own earlier fit."""
    first, second = RunloreCallback("first"), RunloreCallback("second")
    fit(model(), second)
    fit(model(), first, second, epochs=5)
    assert [run.metrics["loss"].count for run in store.runs(sort="id")] == [3, 5]


def test_callbacks_can_be_copied_and_pickled(store: Store) -> None:
    ours = RunloreCallback("named")
    for again in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert type(again) is RunloreCallback
        fit(model(), again)
    assert [run.name for run in store.runs()] == ["named", "named"]


def test_bad_options_are_told_at_once() -> None:
    with pytest.raises(TypeError, match="tags is 'vision'"):
        RunloreCallback(tags="vision")  # type: ignore[arg-type]


def test_no_hook_of_batches_and_no_state_is_asked_for(store: Store) -> None:
    """Async dispatch stays on, and on jax the state of the model is not fetched in the midst of an epoch."""
    ours = RunloreCallback()
    plain = keras.callbacks.CallbackList([], add_history=True, model=model(), epochs=1)
    listed = keras.callbacks.CallbackList([ours], add_history=True, model=model(), epochs=1)
    for name in ("_async_train", "_async_test", "_async_predict"):
        assert getattr(listed, name) == getattr(plain, name)
    for name in ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end", "on_test_batch_end"):
        assert keras.src.utils.is_default(getattr(ours, name)), name


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only jax keeps the state out of the model")
def test_no_state_is_fetched_on_jax(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src.backend.jax.trainer import JAXTrainer

    fetched: list[bool] = []
    inner = JAXTrainer.jax_state_sync

    def counted(self: Any) -> Any:
        fetched.append(bool(getattr(self, "_jax_state", None)) and not self._jax_state_synced)
        return inner(self)

    monkeypatch.setattr(JAXTrainer, "jax_state_sync", counted)
    fit(model())
    plain = sum(fetched)
    fetched.clear()
    fit(model(), RunloreCallback())
    assert sum(fetched) == plain
