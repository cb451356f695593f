"""What a fit with Keras leaves behind: metrics, steps, params, data, the end; and what it leaves alone."""

import copy
import gc
import pickle
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

import runlore
from runlore import FitSession, Store
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only, rows, when

# Metrics (K1, K2, K3)


def test_train_and_val_metrics_once_an_epoch(store: Store) -> None:
    history = fit(model(), RunloreCallback(), validation_split=0.25)
    run = only(store)
    assert sorted(run.metrics) == ["learning_rate", "loss", "mae", "val_loss", "val_mae"]
    for name, series in history.history.items():
        assert run.metrics[name].values.tolist() == series
        assert run.metrics[name].steps.tolist() == [2, 4, 6]  # 12 rows of 16 in batches of 8
        assert run.metrics[name].epochs.tolist() == [0, 1, 2]
        assert run.metrics[name].split == ("val" if name.startswith("val_") else "train")


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


def test_initial_epoch_counts_from_there_with_the_optimizers_steps(store: Store) -> None:
    made = model()
    fit(made, epochs=2)
    fit(made, RunloreCallback(), initial_epoch=2, epochs=5)
    series = only(store).metrics["loss"]
    assert (series.epochs.tolist(), series.steps.tolist()) == ([2, 3, 4], [6, 8, 10])


def test_a_second_fit_of_a_model_is_linked_to_the_first(store: Store) -> None:
    made = model()
    fit(made, RunloreCallback())
    fit(made, RunloreCallback())
    second, first = store.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]
    assert second.metrics["loss"].steps.tolist() == [8, 10, 12]


@pytest.mark.parametrize("place", [0, 1])
def test_what_other_callbacks_add_to_an_epoch_is_recorded(store: Store, place: int) -> None:
    adding = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_f1=epoch / 10, extra=1.0))
    callbacks = [RunloreCallback()]
    callbacks.insert(place, adding)
    fit(model(), callbacks=callbacks)
    run = only(store)
    assert run.metrics["val_f1"].values.tolist() == [0.0, 0.1, 0.2]
    assert (run.metrics["val_f1"].split, run.metrics["extra"].steps.tolist()) == ("val", [2, 4, 6])
    assert run.metrics["val_f1"].epochs.tolist() == [0, 1, 2]


@pytest.mark.parametrize("place", [0, 1])
def test_the_learning_rate_is_that_of_the_epoch(store: Store, place: int) -> None:
    callbacks: list[Any] = [keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5**epoch)]
    callbacks.insert(place, RunloreCallback())
    fit(model(), callbacks=callbacks)
    assert only(store).metrics["learning_rate"].values.tolist() == [1.0, 0.5, 0.25]


def test_a_schedule_tells_the_rate_that_it_has_come_to(store: Store) -> None:
    made = model()
    made.compile(keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.5, 0.25])), "mse")
    fit(made, RunloreCallback())
    run = only(store)
    assert run.metrics["learning_rate"].values.tolist() == [0.5, 0.25, 0.25]
    assert run.params["optimizer.learning_rate.name"] == "PiecewiseConstantDecay"


class Pair(keras.Model):
    """Two optimizers of its own, as in Keras's examples of adversarial networks: `optimizer` never steps."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = keras.layers.Dense(1)
        self.first = keras.optimizers.SGD(0.1)

    def call(self, x: Any) -> Any:
        return self.layer(x)

    def train_step(self, *_: Any) -> Any:
        return {"g_loss": 1.0, "d_loss": 2.0}


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="a train_step of jax hands its state on")
def test_where_the_optimizer_stands_still_batches_are_counted(store: Store) -> None:
    made = Pair()
    made.compile()
    made.build((None, 3))
    fit(made, RunloreCallback(), initial_epoch=1)
    assert only(store).metrics["g_loss"].steps.tolist() == [4, 6]


# The end (K4)


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


def test_early_stopping_finishes_with_its_reason(store: Store) -> None:
    stopping = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9)
    fit(model(), RunloreCallback(), stopping, epochs=9)
    run = only(store)
    assert (run.status, run.metrics["loss"].count) == ("finished", 2)
    assert run.tags["stopped"] == "epoch 1: loss did not improve for 1 epochs"


def test_a_stop_that_somebody_asked_for_is_told(store: Store) -> None:
    made = model()
    fit(made, RunloreCallback(), keras.callbacks.TerminateOnNaN(), epochs=9)
    assert "stopped" not in only(store).tags
    made.set_weights([np.full_like(weight, np.nan) for weight in made.get_weights()])
    fit(made, RunloreCallback("nan"), keras.callbacks.TerminateOnNaN(), epochs=9)
    assert store.run("nan").tags["stopped"] == "epoch 0: stop_training was set, with 8 epochs to go"
    assert np.isnan(store.run("nan").metrics["loss"].values).all()


# Params and data (K6, K7)


def test_params_tell_how_everything_was_set(store: Store) -> None:
    made = model()
    stopping = keras.callbacks.EarlyStopping("loss", patience=7)
    fit(made, RunloreCallback(), stopping, class_weight={0: 1.0, 1: 2.0}, validation_split=0.25)
    params = only(store).params
    expected = {
        "optimizer.name": "SGD", "optimizer.learning_rate": 0.125, "optimizer.momentum": 0.0, "compile.loss": "mse",
        "compile.metrics": ["mae"], "fit.epochs": 3, "fit.batch_size": 8, "fit.validation_split": 0.25,
        "fit.class_weight.1": 2.0, "fit.shuffle": True, "model.class": "Sequential", "model.parameters": 21,
        "model.trainable_parameters": 21, "layers.0.class": "Dense", "layers.0.units": 4, "layers.0.activation": "relu",
        "callbacks.EarlyStopping.patience": 7, "model.backend": keras.backend.backend(),
    }  # fmt: skip
    assert {name: params.get(name) for name in expected} == expected
    assert not [name for name in params if name.startswith(("fit.x", "fit.y", "fit.callbacks"))]


def test_objects_in_compile_are_told_by_class_and_settings(store: Store) -> None:
    made = model()
    made.compile(
        keras.optimizers.Adam(clipnorm=1.0),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.AUC()],
    )
    fit(made, RunloreCallback())
    params = only(store).params
    assert (params["compile.loss.name"], params["compile.loss.from_logits"]) == ("BinaryCrossentropy", True)
    assert params["compile.metrics"] == ["AUC"]
    assert (params["optimizer.clipnorm"], params["optimizer.learning_rate"]) == (1.0, 0.001)


def test_a_loss_that_is_no_serializable_object_costs_only_itself(store: Store) -> None:
    made = model()
    made.compile("sgd", eval("lambda y, scores: scores - y", {}))  # without source code
    fit(made, RunloreCallback())
    run = only(store)
    assert (run.status, run.params["optimizer.name"], run.params["model.parameters"]) == ("finished", "SGD", 21)
    assert run.params["compile.loss"] == "<lambda>"
    assert run.missing == []


def test_a_model_that_is_built_lazily_is_recorded(store: Store) -> None:
    made = keras.Sequential([keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    fit(made, RunloreCallback())
    assert (only(store).params["model.parameters"], only(store).params["layers.0.units"]) == (4, 1)


def test_the_data_is_described(store: Store) -> None:
    x, y = rows()
    fit(model(), RunloreCallback(), validation_data=(x[:4], y[:4]))
    data = only(store).data
    assert (data["x"]["rows"], data["x"]["shape"], data["y"]["shape"], data["val_x"]["rows"]) == (
        16, [16, 3], [16, 1], 4,
    )  # fmt: skip
    assert len({data[name]["fingerprint"] for name in ("x", "y", "val_x", "val_y")}) == 4


def test_several_inputs_are_described_by_name(store: Store) -> None:
    first, second = keras.Input((3,), name="first"), keras.Input((3,), name="second")
    made = keras.Model({"first": first, "second": second}, keras.layers.Dense(1)(first + second))
    made.compile("sgd", "mse")
    x, y = rows()
    made.fit({"first": x, "second": 2 * x}, y, verbose=0, callbacks=[RunloreCallback()])
    data = only(store).data
    assert data["x.first"]["fingerprint"] != data["x.second"]["fingerprint"]


def test_a_generator_is_consumed_as_without_us(store: Store) -> None:
    taken: list[int] = []

    def batches() -> Iterator[Any]:
        for number in range(10):
            taken.append(number)
            yield rows(8)

    model().fit(batches(), steps_per_epoch=2, epochs=2, verbose=0)
    plain = list(taken)
    taken.clear()
    model().fit(batches(), steps_per_epoch=2, epochs=2, verbose=0, callbacks=[RunloreCallback()])
    if keras.backend.backend() == "tensorflow":  # it fetches some ahead, as many as it comes to
        assert taken == list(range(len(taken)))
    else:
        assert taken == plain
    assert only(store).data["x"] == {"kind": "builtins.generator"}


class Batches(keras.utils.PyDataset):
    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def __len__(self) -> int:
        return 2

    def __getitem__(self, place: int) -> Any:
        self.asked += 1
        return rows(8)


def test_a_dataset_is_asked_for_nothing_more(store: Store) -> None:
    plain, recorded = Batches(), Batches()
    model().fit(plain, epochs=2, verbose=0, shuffle=False)
    model().fit(recorded, epochs=2, verbose=0, shuffle=False, callbacks=[RunloreCallback()])
    assert recorded.asked == plain.asked
    assert only(store).data["x"]["batches"] == 2


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


# Overridden (K7)


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


# Left alone


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


def test_evaluate_and_predict_alone_make_no_run(store: Store) -> None:
    made = model()
    x, y = rows()
    with runlore.autolog("keras"):
        made.evaluate(x, y, verbose=0)
        made.predict(x, verbose=0)
    assert len(store.runs()) == 0


def test_the_return_value_is_keras_own_history(store: Store) -> None:
    made = model()
    with runlore.autolog("keras"):
        history = fit(made)
    assert type(history) is keras.callbacks.History
    assert made.history is history


def test_callbacks_can_be_copied_and_pickled(store: Store) -> None:
    ours = RunloreCallback("named")
    for again in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert type(again) is RunloreCallback
        fit(model(), again)
    assert [run.name for run in store.runs()] == ["named", "named"]


def test_bad_options_are_told_at_once() -> None:
    with pytest.raises(TypeError, match="tags is 'vision'"):
        RunloreCallback(tags="vision")  # type: ignore[arg-type]


def test_a_model_that_is_fitted_inside_a_callback_is_a_part(store: Store) -> None:
    with runlore.autolog("keras"):
        fit(model(), when(1, lambda: fit(model())))
    assert only(store).metrics["loss"].count == 3


def test_zero_epochs_make_a_run_without_points(store: Store) -> None:
    fit(model(), RunloreCallback(), epochs=0)
    assert (only(store).status, dict(only(store).metrics)) == ("finished", {})
