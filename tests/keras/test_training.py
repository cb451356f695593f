"""One fit from its beginning to its end: what is a part of it, how it ended, why it stopped."""

import threading
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

import runlore
from runlore import FitSession, Store, guest
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only, rows, when


def test_a_model_that_is_fitted_inside_a_callback_is_a_part(store: Store) -> None:
    with runlore.autolog("keras"):
        fit(model(), when(1, lambda: fit(model())))
    assert only(store).metrics["loss"].count == 3


def test_a_session_that_ended_elsewhere_swallows_no_fit(store: Store) -> None:
    """A session that another thread ended stayed the fit under way in the context that began it."""
    session = FitSession.begin("mine")
    thread = threading.Thread(target=session.end)
    thread.start()
    thread.join()
    assert not guest.in_fit()
    fit(model(), RunloreCallback())
    assert len(store.runs()) == 2


def test_zero_epochs_make_a_run_without_points(store: Store) -> None:
    fit(model(), RunloreCallback(), epochs=0)
    assert (only(store).status, dict(only(store).metrics)) == ("finished", {})


def test_final_weights_are_bit_identical(store: Store) -> None:
    def weights(*callbacks: Any, **settings: Any) -> list[bytes]:
        made = model(jit_compile=False)
        made.add(keras.layers.Dropout(0.5))
        made.compile("adam", "mse")
        fit(made, *callbacks, validation_split=0.25, **settings)
        return [weight.tobytes() for weight in made.get_weights()]

    plain = weights()
    assert weights(RunloreCallback()) == plain
    with runlore.autolog("keras"):
        assert weights() == plain
    assert len(store.runs()) == 2


# The end


def test_a_callback_that_fails_fails_the_run(store: Store) -> None:
    error = ValueError("no more")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="no more") as caught:
        fit(model(), RunloreCallback(), when(1, fail))
    assert caught.value is error
    run = only(store)
    assert (run.status, run.error["type"], run.metrics["loss"].count) == ("failed", "ValueError", 2)
    fit(model())  # and nothing is under way any more
    with FitSession.begin("next") as session:
        assert session


@pytest.mark.parametrize("hook", ["on_train_begin", "on_train_end", "on_train_batch_end"])
def test_a_failure_in_any_hook_fails_the_run(store: Store, hook: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError(hook)

    with pytest.raises(ValueError, match=hook):
        fit(model(), RunloreCallback(), keras.callbacks.LambdaCallback(**{hook: fail}))
    run = only(store)
    assert (run.status, run.error["message"]) == ("failed", hook)


def test_a_step_that_fails_fails_the_run(store: Store) -> None:
    def batches() -> Iterator[Any]:
        for _ in range(5):
            yield rows()
        raise OSError("the disk is gone")

    with pytest.raises(Exception, match="the disk is gone"):
        model().fit(batches(), steps_per_epoch=9, verbose=0, callbacks=[RunloreCallback()])
    assert (only(store).status, "the disk is gone" in only(store).error["message"]) == ("failed", True)


@pytest.mark.parametrize("how", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_fit_says_so(store: Store, how: type[BaseException]) -> None:
    def stop() -> None:
        raise how

    with pytest.raises(how):
        fit(model(), RunloreCallback(), when(1, stop))
    assert only(store).status == ("interrupted" if how is KeyboardInterrupt else "finished")


@pytest.mark.shows("keras", "early stopping")
def test_early_stopping_finishes_with_its_reason(store: Store) -> None:
    stopping = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9)
    fit(model(), RunloreCallback(), stopping, epochs=9)
    run = only(store)
    assert (run.status, run.metrics["loss"].count) == ("finished", 2)
    assert run.tags["stopped"] == "step 4, epoch 1: loss did not improve for 1 epoch"


def test_a_stop_that_somebody_asked_for_is_told(store: Store) -> None:
    made = model()
    fit(made, RunloreCallback(), keras.callbacks.TerminateOnNaN(), epochs=9)
    assert "stopped" not in only(store).tags
    made.set_weights([np.full_like(weight, np.nan) for weight in made.get_weights()])
    fit(made, RunloreCallback("nan"), keras.callbacks.TerminateOnNaN(), epochs=9)
    assert store.run("nan").tags["stopped"] == "step 19, epoch 0: the loss is nan"
    assert np.isnan(store.run("nan").metrics["loss"].values).all()


def test_a_trial_that_is_pruned_has_not_failed(store: Store) -> None:
    class TrialPruned(Exception):
        pass

    def prune() -> None:
        raise TrialPruned("no promise")

    with pytest.raises(TrialPruned):
        fit(model(), RunloreCallback(), when(1, prune))
    run = only(store)
    assert (run.status, run.tags["stopped"]) == ("finished", "step 4, epoch 1: pruned: no promise")


def test_what_cuts_the_last_epoch_short_is_told(store: Store) -> None:
    """A stop in the last epoch, or in the only one, was told by no tag."""
    made = model()

    def stop(batch: int, logs: Any) -> None:
        made.stop_training = made.stop_training or batch == 1

    x, y = rows()
    stopping = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    made.fit(x, y, batch_size=4, verbose=0, callbacks=[RunloreCallback("cut"), stopping])
    assert store.run("cut").tags["stopped"] == "step 2, epoch 0: stop_training was set, with 2 batches to go"
    fit(made, RunloreCallback("whole"), when(2, lambda: setattr(made, "stop_training", True)))
    assert "stopped" not in store.run("whole").tags
    made.set_weights([np.full_like(weight, np.nan) for weight in made.get_weights()])
    fit(made, RunloreCallback("nan"), keras.callbacks.TerminateOnNaN(), epochs=1)
    assert store.run("nan").tags["stopped"] == "step 9, epoch 0: the loss is nan"


def test_a_fit_that_fails_before_its_first_hook_is_a_failed_run(store: Store) -> None:
    """Nothing was recorded of a model that was not compiled, nor of data of another shape."""
    x, y = rows()
    made = model()
    with runlore.autolog("keras"):
        with pytest.raises(ValueError, match="compile"):
            keras.Sequential([keras.layers.Dense(1)]).fit(x, y, verbose=0)
        with pytest.raises(ValueError, match="shape|axis"):
            narrow = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
            narrow.compile("sgd", "mse")
            fit(narrow)
        with pytest.raises(ValueError, match="") as caught:
            made.fit(x[:, :2], y, epochs=2, verbose=0, callbacks=[RunloreCallback("shapes")])
        with pytest.raises(TypeError):
            made.fit(x, y, epoch=2)
        fit(model())  # and nothing is under way any more
    run: Any = store.run("shapes")
    assert [run.status for run in store.runs(sort="id")] == ["failed", "failed", "failed", "finished"]
    assert (run.error["type"], run.error["message"]) == ("ValueError", str(caught.value))
    assert run.error["traceback"]
    assert (run.params["fit.epochs"], run.params["optimizer.name"], run.data["x"]["shape"]) == (2, "SGD", [16, 2])


def test_a_failing_fit_that_is_not_recorded_makes_no_run(store: Store) -> None:
    RunloreCallback()
    with pytest.raises(ValueError, match="compile"):
        fit(keras.Sequential([keras.layers.Dense(1)]))
    assert len(store.runs()) == 0


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
    """A callback with an attribute of EarlyStopping was taken for it, and its `monitor` was missing."""
    history = fit(model(), AsInTheGuide(), RunloreCallback(), epochs=5)
    assert len(history.history["loss"]) == 2
    assert only(store).tags["stopped"] == "step 4, epoch 1: stop_training was set, with 3 epochs to go"
