"""Which run a trainer and its module belong to behind the fit."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from runlore import Store
from runlore_lightning import RunloreCallback
from tests.lightning.models import Tiny, checkpoint, data, pl, trainer


def test_a_second_fit_is_a_second_run_linked_to_the_first(store: Store) -> None:
    t = trainer(RunloreCallback(), max_epochs=1)
    model = Tiny()
    t.fit(model, data())
    t.fit_loop.max_epochs = 2
    t.fit(model, data())
    second, first = store.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]


def test_a_copy_of_a_module_belongs_to_the_run_that_made_its_weights(store: Store, tmp_path: Path) -> None:
    """Tests of it were runs of their own, at step 0, and its fit was linked to nothing."""
    saving = checkpoint(tmp_path, save_top_k=-1, filename="{epoch}")
    first, model = trainer(RunloreCallback("first"), saving, enable_checkpointing=True), Tiny()
    first.fit(model, data())
    copied, by_hand = copy.deepcopy(model), Tiny()
    by_hand.load_state_dict(torch.load(tmp_path / "epoch=0.ckpt", weights_only=False)["state_dict"])
    for module in (copied, by_hand):
        trainer(RunloreCallback()).test(module, data(2), verbose=False)
    trainer(RunloreCallback("second")).fit(copied, data())
    assert len(store.runs()) == 2
    tested = store.run("first").metrics["test_loss"]
    assert (tested.steps.tolist(), tested.epochs.tolist()) == ([10, 30], [0, 2])
    assert store.run("second").links == [{"kind": "started_from", "run": store.run("first").id, "step": 30}]


def test_a_baseline_is_of_the_weights_that_were_evaluated(store: Store) -> None:
    """Weights that were put into a module in turn replaced each other's points, and stayed the baseline of any fit."""
    model, t = Tiny(), trainer(RunloreCallback("first"))
    t.test(model, data(2), verbose=False)
    model.load_state_dict(Tiny().state_dict())
    second = trainer(RunloreCallback("second"))
    second.test(model, data(2), verbose=False)
    second.fit(model, data())
    assert (len(store.runs()), store.run("first").tags["purpose"]) == (2, "evaluation")
    assert store.run("first").metrics["test_loss"].last != store.run("second").metrics["test_loss"].last
    assert "train_loss_step" in store.run("second").metrics
    assert "purpose" not in store.run("second").tags


class Keeping(pl.Callback):
    """Keeps the weights of the second epoch, or of its validation, by hand; puts them back as the fit ends, or not."""

    def __init__(self, how: str) -> None:
        self.how = how

    def _keep(self, trainer: Any, module: Any) -> None:
        if trainer.current_epoch == 1:
            self.kept = copy.deepcopy(module.state_dict())

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        if self.how != "epoch":
            self._keep(trainer, module)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        if self.how == "epoch":
            self._keep(trainer, module)

    def on_train_end(self, trainer: Any, module: Any) -> None:
        if self.how == "set":
            module.load_state_dict(self.kept)


@pytest.mark.parametrize("how", ["epoch", "validation", "set"])
def test_weights_that_were_kept_by_hand_have_the_step_of_their_epoch(store: Store, how: str) -> None:
    """A test of them was a run of its own; put back within the fit, they were those of the last step."""
    keeping, model = Keeping(how), Tiny()
    t = trainer(RunloreCallback(), keeping)
    t.fit(model, data(), None if how == "epoch" else data(2))
    if how != "set":
        model.load_state_dict(keeping.kept)
    t.test(model, data(2), verbose=False)
    (run,) = store.runs()
    tested = run.metrics["test_loss"]
    assert (tested.steps.tolist(), tested.epochs.tolist()) == ([20], [1])
