"""Models that are fitted in the fit of another framework, as in a pipeline of scikit-learn."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras.wrappers import SKLearnRegressor
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import runlore
from runlore import Store
from runlore.provenance.origins import which_run
from runlore_keras import RunloreCallback
from tests.keras.models import only, rows


def build(X: Any, y: Any) -> Any:
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile(keras.optimizers.SGD(0.125), "mse")
    return made


def estimator(epochs: int = 3, **settings: Any) -> Any:
    return SKLearnRegressor(build, fit_kwargs={"epochs": epochs, "batch_size": 8, "verbose": 0, **settings})


def test_curves_of_a_model_in_a_pipeline_are_in_the_pipelines_run(store: Store) -> None:
    """A fit inside another framework's left no curve, and no word of it."""
    x, y = rows()
    history = keras.callbacks.History()
    adding = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=epoch))
    callbacks = [history, adding]
    with runlore.autolog("sklearn", "keras"):
        inner = estimator(validation_split=0.25, callbacks=callbacks)
        make_pipeline(StandardScaler(), inner).fit(x, y[:, 0])
    run = only(store)
    assert run.tags["integration"] == "sklearn"
    for name in ("loss", "val_loss"):
        series = run.metrics[name]
        assert (series.steps.tolist(), series.epochs.tolist()) == ([2, 4, 6], [0, 1, 2])
        assert series.split == ("val" if name == "val_loss" else "train")
    assert run.metrics["extra"].values.tolist() == [0, 1, 2]
    assert run.metrics["learning_rate"].values.tolist() == [0.125] * 3
    assert "fit_seconds" in run.metrics
    assert len(callbacks) == 2


def test_a_model_with_a_callback_of_its_own_is_a_run_below_the_pipelines(store: Store) -> None:
    """Name, experiment and tags of the callback were lost; the run had the model's curve, and nothing else of it."""
    x, y = rows()
    with runlore.autolog():
        ours = RunloreCallback("net", experiment="digits", tags={"team": "vision"})
        make_pipeline(StandardScaler(), estimator(callbacks=[ours])).fit(x, y[:, 0])
    net, whole = store.runs()
    assert (net.parent, net.name, net.experiment, net.tags["team"]) == (whole, "net", "digits", "vision")
    assert (net.params["optimizer.name"], net.metrics["loss"].count, "loss" in whole.metrics) == ("SGD", 3, False)
    assert "fit_seconds" in whole.metrics


def test_a_fit_that_fails_in_a_pipeline_keeps_its_curve(store: Store) -> None:
    x, y = rows()

    def fail(epoch: int, logs: Any) -> None:
        if epoch == 1:
            raise ValueError("no more")

    failing = keras.callbacks.LambdaCallback(on_epoch_end=fail)
    with runlore.autolog("sklearn", "keras"), pytest.raises(ValueError, match="no more"):
        estimator(callbacks=[failing]).fit(x, y[:, 0])
    assert (only(store).status, only(store).metrics["loss"].count) == ("failed", 2)


class Several(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits several models, one of them twice, and saves each."""

    def __init__(self, models: int = 2, folder: Path | None = None) -> None:
        self.models = models
        self.folder = folder

    def fit(self, X: Any, y: Any) -> "Several":
        self.models_ = [build(X, y) for _ in range(self.models)]
        for made in (*self.models_, self.models_[0]):
            made.fit(X, y, batch_size=8, epochs=1, verbose=0, callbacks=self.saving(made))
        return self

    def saving(self, made: Any) -> list[Any]:
        return [] if self.folder is None else [keras.callbacks.ModelCheckpoint(self.folder / f"{made.name}.keras")]

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X))


def test_checkpoints_of_a_model_in_a_pipeline_are_the_pipelines(store: Store, tmp_path: Path) -> None:
    """They were on no record, and so led to no run."""
    x, y = rows()
    best = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "loss", save_best_only=True)
    each = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    with runlore.autolog("sklearn", "keras"):
        make_pipeline(StandardScaler(), estimator(epochs=2, callbacks=[best, each])).fit(x, y[:, 0])
    run = only(store)
    told = {Path(item.path).name: item for item in run.artifacts if item.kind == "checkpoint"}
    assert {name: (item.step, item.epoch, item.roles) for name, item in told.items()} == {
        "best.keras": (4, 1, ("best",)),
        "1.weights.h5": (2, 0, ()),
        "2.weights.h5": (4, 1, ("last",)),
    }
    assert (told["best.keras"].monitor, told["best.keras"].value) == ("loss", run.metrics["loss"].values[-1])
    assert [told[name].stored for name in ("best.keras", "1.weights.h5", "2.weights.h5")] == [True, False, True]
    (found,) = which_run(store, tmp_path / "1.weights.h5").found
    assert (found.run, found.step) == (run.id, 2)


def test_several_models_in_one_fit_have_curves_and_roles_of_their_own(store: Store, tmp_path: Path) -> None:
    x, y = rows()
    with runlore.autolog("sklearn", "keras"):
        Several(folder=tmp_path).fit(x, y)
    run = only(store)
    assert [(item.step, item.roles) for item in run.artifacts if item.kind == "checkpoint"] == [
        (2, ()),
        (2, ("last_fit_2",)),
        (4, ("last",)),
    ]
    assert (run.metrics["loss"].steps.tolist(), run.metrics["loss/fit_2"].steps.tolist()) == ([2, 4], [2])
    assert run.missing == []


def test_too_many_models_in_one_fit_are_told_of(store: Store) -> None:
    x, y = rows(8)
    with runlore.autolog("sklearn", "keras"):
        Several(23).fit(x, y)
    run = only(store)
    assert "loss/fit_20" in run.metrics
    assert "loss/fit_21" not in run.metrics
    assert [item["what"] for item in run.missing] == ["curves of Keras's models"]


def test_folds_in_a_validation_have_curves_of_their_own(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("sklearn", "keras"):
        cross_validate(clone(estimator(epochs=1)), x, y[:, 0], cv=2)
    parent = next(run for run in store.runs() if run.parent is None)
    assert {"loss", "loss/fit_2"} <= set(parent.metrics)


def test_without_a_run_of_the_other_framework_a_fit_has_its_own(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("keras"):
        estimator().fit(x, y[:, 0])
    assert only(store).tags["integration"] == "keras"
