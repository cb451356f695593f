"""Frameworks that train by torch record themselves, once; what hands a loop of the user's on is no framework."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import runlore
from runlore import Store
from tests.torch.models import Net, data


def integrations(store: Store) -> dict[str, int]:
    return dict(Counter(str(run.tags["integration"]) for run in store.runs()))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("others", [(), ("lightning",)])
def test_lightning(store: Store, tmp_path: Path, others: tuple[str, ...]) -> None:
    from tests.lightning.models import Tiny, pl, trainer
    from tests.lightning.models import data as batches

    class ByHand(Tiny):
        automatic_optimization = False

        def training_step(self, batch: Any, batch_idx: int) -> None:
            optimizer: Any = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(self.loss(batch))
            optimizer.step()

    with runlore.autolog("torch", *others):
        for module in (Tiny(), ByHand()):
            trainer(max_epochs=1, default_root_dir=tmp_path).fit(module, batches(2))
    assert pl is not None
    assert integrations(store) == ({"lightning": 2} if others else {})


@pytest.mark.parametrize("others", [(), ("transformers",)])
def test_transformers(store: Store, tmp_path: Path, others: tuple[str, ...]) -> None:
    from tests.transformers.models import trainer

    with runlore.autolog("torch", *others):
        trainer(tmp_path).train()
    assert integrations(store) == ({"transformers": 1} if others else {})


@pytest.mark.parametrize("others", [(), ("keras",)])
def test_keras(store: Store, others: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    import keras
    import numpy as np

    x = np.ones((8, 2))
    with runlore.autolog("torch", *others):
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x, x.sum(1), epochs=1, verbose=0)
    assert integrations(store) == ({"keras": 1} if others else {})


def test_fabric_is_a_loop_of_ones_own(store: Store) -> None:
    from lightning_fabric import Fabric

    def loop() -> None:
        fabric = Fabric(accelerator="cpu")
        inner = Net()
        model, optimizer = fabric.setup(inner, torch.optim.SGD(inner.parameters(), lr=0.1))
        for x, y in fabric.setup_dataloaders(data()):
            optimizer.zero_grad()
            fabric.backward(nn.functional.mse_loss(model(x), y))
            optimizer.step()

    with runlore.autolog("torch", "lightning"):
        loop()
    (run,) = store.runs()
    assert (run.tags["integration"], run.tags["model"], run.metrics["loss"].count) == ("torch", "Net", 4)


def test_accelerate_is_a_loop_of_ones_own(store: Store) -> None:
    from accelerate import Accelerator

    def loop() -> None:
        accelerator = Accelerator(cpu=True)
        inner = Net()
        model, optimizer, loader = accelerator.prepare(inner, torch.optim.SGD(inner.parameters(), lr=0.1), data())
        for x, y in loader:
            optimizer.zero_grad()
            accelerator.backward(nn.functional.mse_loss(model(x), y))
            optimizer.step()

    with runlore.autolog("torch", "transformers"):
        loop()
    (run,) = store.runs()
    assert (run.tags["integration"], run.tags["model"], run.metrics["loss"].count) == ("torch", "Net", 4)


def test_a_fit_that_is_under_way_has_the_loops_in_it(store: Store) -> None:
    from sklearn.base import BaseEstimator

    from tests.torch.models import train

    class Network(BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any = None) -> "Network":
            train(1)
            return self

    with runlore.autolog("torch", "sklearn"):
        Network().fit([[1.0]])
        train(1)
    assert integrations(store) == {"sklearn": 1, "torch": 1}


@pytest.mark.shows("torch", "search trees")
def test_trials_of_a_study_have_their_loops(store: Store) -> None:
    import optuna

    from tests.torch.models import train

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)

    def objective(trial: Any) -> float:
        losses: list[float] = []

        def each(step: int, loss: float) -> None:
            losses.append(loss)
            if trial.number == 0 and step == 2:  # Optuna holds what it raises, and so the optimizer, a while longer
                raise optuna.TrialPruned

        train(1, trial.suggest_float("lr", 0.01, 0.1), each=each)
        return losses[-1]

    with runlore.autolog("torch", "optuna"):
        optuna.create_study().optimize(objective, n_trials=2)
    (study,) = store.runs("parent is None")
    trials = sorted(study.children, key=lambda trial: str(trial.name))
    assert [[child.tags["integration"] for child in trial.children] for trial in trials] == [["torch"]] * 2
    assert [trial.children[0].metrics["loss"].count for trial in trials] == [2, 4]
