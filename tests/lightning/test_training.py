"""One fit is one run, by itself or within the user's."""

import pytest

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
