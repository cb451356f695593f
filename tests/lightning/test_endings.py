"""Why a fit ended before its limits stands in a tag, with step and epoch."""

import math
from typing import Any

import pytest

from runlore import Store
from runlore_lightning import RunloreCallback
from tests.lightning.models import At, Tiny, data, only, pl, trainer


class Steered(Tiny):
    """Its val_loss is what the list says."""

    def __init__(self, losses: list[float]) -> None:
        super().__init__()
        self.losses = losses

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.losses[self.current_epoch])


def stop(trainer: Any) -> None:
    trainer.should_stop = True


@pytest.mark.parametrize(
    ("losses", "settings", "told"),
    [
        ([math.nan], {}, "step 2, epoch 0: Monitored metric val_loss = nan is not finite."),
        ([1.0, math.nan], {}, "step 4, epoch 1: Monitored metric val_loss = nan is not finite."),
        ([0.5], {"stopping_threshold": 0.6}, "step 2, epoch 0: Stopping threshold reached: val_loss = 0.5 < 0.6."),
        ([0.5], {"divergence_threshold": 0.4}, "step 2, epoch 0: Divergence threshold reached"),
        ([0.1, 0.2], {"patience": 1}, "step 4, epoch 1: Monitored metric val_loss did not improve in the last 1"),
    ],
)
@pytest.mark.shows("lightning", "early stopping")
def test_early_stopping_says_why(store: Store, losses: list[float], settings: Any, told: str) -> None:
    """In the first epoch it said nothing."""
    early = pl.callbacks.EarlyStopping("val_loss", **settings)
    trainer(RunloreCallback(), early, num_sanity_val_steps=0).fit(Steered(losses), data(2), data(1))
    assert only(store).tags["stopped"].startswith(told)


def test_the_end_of_the_time_is_told(store: Store) -> None:
    trainer(RunloreCallback(), max_time={"seconds": 0}).fit(Tiny(), data(2))
    assert only(store).tags["stopped"].endswith("the time of 0:00:00 was over")


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_train_epoch_end"])
def test_what_the_users_own_code_stops_is_told(store: Store, hook: str) -> None:
    trainer(RunloreCallback(), At(hook, stop)).fit(Tiny(), data(2))
    step = 1 if hook == "on_train_batch_end" else 2
    assert only(store).tags["stopped"] == f"step {step}, epoch 0: trainer.should_stop was set"


def test_a_fit_that_reaches_its_limits_was_not_stopped(store: Store) -> None:
    """Nor is the reason of an earlier fit told again."""
    early = pl.callbacks.EarlyStopping("val_loss", stopping_threshold=0.3)
    made = trainer(RunloreCallback(), early, num_sanity_val_steps=0)
    model = Steered([0.2, 0.5, 0.5, 0.5])
    made.fit(model, data(2), data(1))
    made.fit(model, data(2), data(1))
    made.fit_loop.max_epochs = 4
    made.callbacks.append(At("on_train_epoch_end", stop))
    made.fit(model, data(2), data(1))
    third, second, first = (run.tags.get("stopped", "") for run in store.runs())
    assert first.startswith("step 2, epoch 0: Stopping threshold")
    assert (second, third) == ("", "step 8, epoch 3: trainer.should_stop was set")


def test_what_a_shared_callback_has_stopped_before_is_no_reason(store: Store) -> None:
    """EarlyStopping keeps why it has stopped: a fit of another trainer that was stopped otherwise was told that."""
    early = pl.callbacks.EarlyStopping("val_loss", patience=1)
    shared = {"num_sanity_val_steps": 0}
    trainer(RunloreCallback("first"), early, **shared).fit(Steered([0.1, 0.2]), data(2), data(1))
    early.patience = 9
    trainer(RunloreCallback("second"), early, At("on_train_epoch_end", stop), **shared).fit(Tiny(), data(2), data(1))
    assert store.run("first").tags["stopped"].startswith("step 4, epoch 1: Monitored metric")
    assert store.run("second").tags["stopped"] == "step 2, epoch 0: trainer.should_stop was set"


def test_a_trial_that_is_pruned_has_not_failed(store: Store) -> None:
    """Optuna's callback raises to end it."""
    optuna = pytest.importorskip("optuna")

    def prune(trainer: Any) -> None:
        raise optuna.TrialPruned("no promise")

    with pytest.raises(optuna.TrialPruned):
        trainer(RunloreCallback(), At("on_train_epoch_end", prune)).fit(Tiny(), data(2))
    run = only(store)
    assert (run.status, run.tags["stopped"]) == ("finished", "step 2, epoch 0: pruned: no promise")
