"""Frameworks that are recorded by one file each: they pass the contract, in at most forty lines of code."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from runlore.testing import IntegrationContract, Training

FOLDER = Path(__file__).parent.parent.parent / "examples" / "third_party"
FILES = sorted(FOLDER.glob("*.py"))
ROWS = np.random.default_rng(1).normal(size=(16, 3)).astype("float32")
LABELS = ROWS.sum(1, keepdims=True)
if str(FOLDER) not in sys.path:  # the files are beside a user's script, also in processes of the contract
    sys.path.append(str(FOLDER))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_adapter_has_forty_lines_at_most(file: Path) -> None:
    """Blank lines and the line at the top, which says what it is, don't count."""
    assert len([line for line in file.read_text().splitlines()[1:] if line.strip()]) <= 40


def net() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(3, 1))


class TestSkorch(IntegrationContract):
    integration = "skorch"
    metric = "train_loss"
    param = ("lr", 0.05)
    steps = 8
    hows = ("callback",)
    has_checkpoints = False
    warm = ("skorch", "torch")

    def train(self, training: Training) -> Any:
        from runlore_skorch import RunloreCallback
        from skorch import NeuralNetRegressor
        from skorch.callbacks import Callback, EarlyStopping

        class Users(Callback):  # type: ignore[misc]
            def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
                row = net.history[-1]
                if row["epoch"] == 1:
                    training.early()
                training.point(row["epoch"], row["train_loss"])
                if row["epoch"] == 5:
                    training.midway()

        stop = [EarlyStopping("train_loss", patience=3, threshold=1e9)] if training.stop else []
        ours = [RunloreCallback()] if training.how == "callback" else []
        fitted = NeuralNetRegressor(
            net(), lr=0.05, max_epochs=16 if training.longer else 8, batch_size=8, train_split=None, verbose=0,
            callbacks=[*ours, Users(), *stop],
        )  # fmt: skip
        fitted.fit(ROWS, LABELS)
        return [item.tolist() for item in fitted.module_.parameters()], fitted.history[:, "train_loss"]


class TestIgnite(IntegrationContract):
    integration = "ignite"
    metric = "loss"
    param = ("lr", 0.05)
    steps = 8
    hows = ("callback",)
    has_checkpoints = False
    warm = ("ignite.engine", "torch")

    def train(self, training: Training) -> Any:
        import runlore_ignite
        from ignite.engine import Engine, Events

        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

        def step(engine: Any, batch: Any) -> Any:
            optimizer.zero_grad()
            x, y = batch
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            unusual = training.unusual()
            return loss.item() if unusual is None else {"loss": loss.item(), "odd": unusual}

        def users(engine: Any) -> None:
            found = engine.state.output
            training.point(
                engine.state.iteration, found["loss"] if isinstance(found, dict) else found, engine.state.epoch - 1
            )
            if engine.state.iteration == 5:
                training.midway()
                if training.stop:
                    engine.terminate()

        trainer = Engine(step)
        if training.how == "callback":
            runlore_ignite.record(trainer, params={"lr": 0.05})
        trainer.add_event_handler(Events.STARTED, lambda engine: training.early())
        trainer.add_event_handler(Events.ITERATION_COMPLETED, users)
        batches = torch.utils.data.TensorDataset(torch.tensor(ROWS), torch.tensor(LABELS))
        trainer.run(torch.utils.data.DataLoader(batches, 8, shuffle=True), max_epochs=8 if training.longer else 4)
        return [item.tolist() for item in model.parameters()]


class TestFastai(IntegrationContract):
    integration = "fastai"
    metric = "loss"
    param = ("bs", 8)
    steps = 8
    hows = ("callback",)
    has_checkpoints = False
    warm = ("fastai.basics", "torch")
    follower: ClassVar = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}  # by torch's own it would wait

    def train(self, training: Training) -> Any:
        from fastai.callback.core import Callback, CancelFitException
        from fastai.data.core import DataLoaders
        from fastai.data.load import DataLoader
        from fastai.learner import Learner, Metric
        from fastai.optimizer import SGD
        from runlore_fastai import RunloreCallback

        class Odd(Metric):  # type: ignore[misc]
            name = "odd"

            def accumulate(self, learn: Any) -> None: ...

            value = property(lambda self: training.unusual())

        def loss_of(found: Any, wanted: Any) -> Any:  # an exception in a callback fastai changes
            if learner.training and learner.train_iter == 5:
                training.midway()
            return torch.nn.functional.mse_loss(found, wanted)

        class Users(Callback):  # type: ignore[misc]
            order = 100

            def before_fit(self) -> None:
                training.early()

            def after_batch(self) -> None:
                if self.training:
                    training.point(self.train_iter, self.loss.item(), self.epoch)
                    if training.stop and self.train_iter == 5:
                        raise CancelFitException

        random.seed(0)  # which the loaders shuffle by
        pairs = [(torch.tensor(row), torch.tensor(label)) for row, label in zip(ROWS, LABELS, strict=True)]
        ours = [RunloreCallback()] if training.how == "callback" else []
        loaders = DataLoaders(DataLoader(pairs, bs=8, shuffle=True), DataLoader(pairs[:4], bs=4))
        odd = [] if training.unusual() is None else [Odd()]
        learner = Learner(loaders, net(), loss_of, opt_func=SGD, lr=0.05, metrics=odd, cbs=[*ours, Users()])
        with learner.no_logging():
            learner.fit(8 if training.longer else 4)
        return [item.tolist() for item in learner.model.parameters()], learner.recorder.losses


class TestRiver(IntegrationContract):
    integration = "river"
    metric = "Accuracy"
    param = ("step", 1)
    steps = 16
    hows = ("callback",)
    has_checkpoints = False
    warm = ("river",)

    def iterate(self, training: Training) -> Iterator[object]:
        from river.linear_model import LogisticRegression

        return self._reports(training, LogisticRegression())

    def train(self, training: Training) -> Any:
        from river.linear_model import LogisticRegression

        model = LogisticRegression()
        for report in self._reports(training, model):
            training.point(report["Step"], report["Accuracy"].get())
        return dict(model.weights)

    def _reports(self, training: Training, model: Any) -> Iterator[Any]:
        import runlore_river
        from river import evaluate, metrics

        def rows() -> Iterator[Any]:  # which river reads: what raises in the body of a loop, a generator is not told
            for number in range(32 if training.longer else 16):
                if number == 0:
                    training.early()
                if number == 11:
                    training.midway()
                row = ROWS[number % 16]
                yield {str(place): float(value) for place, value in enumerate(row)}, bool(row[0] > 0)

        module: Any = runlore_river if training.how == "callback" else evaluate
        yield from module.iter_progressive_val_score(rows(), model, metrics.Accuracy())
