"""One fit is one run, by itself or within the user's."""

from typing import Any

import pytest
from sklearn.base import BaseEstimator

import runlore
from runlore import Store
from runlore_lightning import RunloreCallback
from tests.lightning.models import Tiny, data, only, pl, trainer


@pytest.mark.shows("lightning", "metrics")
def test_a_fit_is_one_run_with_every_point_once(store: Store) -> None:
    t = trainer(RunloreCallback(), log_every_n_steps=5)
    t.fit(Tiny(), data(), data(3))
    run = only(store)
    assert (run.status, run.tags) == ("finished", {"integration": "lightning", "model": "Tiny"})
    assert run.metrics["train_loss_step"].steps.tolist() == [5, 10, 15, 20, 25, 30]
    assert run.metrics["train_loss_epoch"].steps.tolist() == [10, 20, 30]
    assert run.metrics["val_loss"].steps.tolist() == [10, 20, 30]
    assert (run.metrics["val_loss"].split, run.metrics["train_loss_step"].split) == ("val", "train")
    assert set(run.metrics) == {"train_loss_step", "train_loss_epoch", "val_loss", "lr-SGD"}
    assert run.metrics["val_loss"].last == pytest.approx(float(t.callback_metrics["val_loss"]))


def test_a_fit_within_the_users_run_joins_it(store: Store) -> None:
    with store.start_run("mine") as mine:
        trainer(RunloreCallback(), max_epochs=1).fit(Tiny(), data())
        assert not mine.ended
        mine.log_metrics({"after": 1.0})
    assert only(store).name == "mine"
    assert {"after", "train_loss_epoch"} <= set(only(store).metrics)


def test_early_stopping_finishes_and_says_why(store: Store) -> None:
    stop = pl.callbacks.EarlyStopping("train_loss", patience=1, mode="max")
    trainer(RunloreCallback(), stop, max_epochs=20).fit(Tiny(), data())
    run = only(store)
    assert run.status == "finished"
    assert run.tags["stopped"].startswith(f"step 20, epoch {stop.stopped_epoch}: ")


class Estimator(BaseEstimator):  # type: ignore[misc]
    """Fits a module in scikit-learn's `fit`."""

    def __init__(self, *callbacks: Any) -> None:
        self.callbacks = callbacks

    def fit(self, X: Any, y: Any) -> Any:
        trainer(*self.callbacks, max_epochs=1).fit(Tiny(), data())
        self.fitted_ = True
        return self


def test_a_fit_with_a_callback_of_its_own_is_a_run_below_that_of_an_estimator(store: Store) -> None:
    """Nothing of it was recorded; by autolog alone it is a part of the other."""
    with runlore.autolog():
        Estimator(RunloreCallback("net", experiment="digits")).fit([[1.0]], [1.0])
        Estimator().fit([[1.0]], [1.0])
    part, net, outer = store.runs()
    assert (net.parent, net.name, net.experiment) == (outer, "net", "digits")
    assert net.metrics["train_loss_step"].count == 10
    assert (part.parent, part.tags["integration"]) == (None, "sklearn")
    (lacking,) = [item["what"] for item in part.missing if "training" in str(item["what"])]
    assert lacking == "a training of lightning in it"
    assert not any("training" in str(item["what"]) for item in outer.missing)
