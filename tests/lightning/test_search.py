"""Lightning's searches for a learning rate or a batch size leave no trace."""

from typing import Any

import torch

from runlore import Store
from runlore_lightning import RunloreCallback
from tests.lightning.models import Tiny, data, only, pl, trainer


def test_searches_for_a_rate_or_a_batch_size_add_no_run(store: Store) -> None:
    class Sized(Tiny):
        batch_size = 2

        def train_dataloader(self) -> Any:
            return torch.utils.data.DataLoader(data().dataset, batch_size=self.batch_size)

        def val_dataloader(self) -> Any:
            return data(1)

    t = trainer(RunloreCallback(), max_epochs=1)
    tuner = pl.tuner.Tuner(t)
    model = Sized()
    tuner.lr_find(model, num_training=4, attr_name="lr")
    tuner.scale_batch_size(model, max_trials=2, steps_per_trial=1)
    assert len(store.runs()) == 0
    t.fit(model)
    assert only(store).status == "finished"
    assert only(store).metrics["train_loss_epoch"].count == 1


def test_a_search_within_a_fit_adds_no_points(store: Store) -> None:
    finder = pl.callbacks.LearningRateFinder(num_training_steps=4)
    trainer(RunloreCallback(), finder, max_epochs=2, enable_checkpointing=True).fit(Tiny(), data())
    run = only(store)
    assert run.metrics["train_loss_step"].steps.tolist() == list(range(1, 21))
    assert not any(item.name.startswith(".lr_find") for item in run.artifacts)


def test_searches_are_silent_and_leave_no_trace(store: Store) -> None:
    """A search in the midst of the fit added its points and its checkpoint to the run."""

    class Again(pl.callbacks.LearningRateFinder):  # type: ignore[misc,name-defined]
        def on_fit_start(self, *_: Any) -> None:
            return

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.current_epoch == 1:
                self.lr_find(trainer, pl_module)

    trainer(RunloreCallback(), Again(num_training_steps=4), max_epochs=3).fit(Tiny(), data())
    run = store.runs()[0]
    assert run.metrics["train_loss_epoch"].count == 3
    assert run.metrics["train_loss_step"].count == 30
    assert not any(item.kind == "checkpoint" for item in run.artifacts)
