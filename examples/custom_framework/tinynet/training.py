"""The framework: it knows nothing of runlore."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

default_callbacks: "list[Callable[[], Callback]]" = []  # of every new Trainer, beside its own


@dataclass(frozen=True)
class Settings:
    """The settings of a training."""

    lr: float = 0.05
    hidden: int = 8
    epochs: int = 4
    batch_size: int = 16
    seed: int = 0


class Callback:
    """Called by a trainer; override what you need."""

    def on_fit_start(self, trainer: "Trainer", resume_from: Path | None) -> None:
        """Training begins, from a checkpoint or from scratch."""

    def on_step_end(self, trainer: "Trainer", loss: float) -> None:
        """A batch was learnt."""

    def on_save(self, trainer: "Trainer", path: Path, loss: float) -> None:
        """A checkpoint was written."""

    def on_fit_end(self, trainer: "Trainer", error: BaseException | None) -> None:
        """Training ended, with an exception or without."""


class Net:
    """Two layers of weights."""

    def __init__(self, inputs: int, hidden: int, seed: int) -> None:
        chance = np.random.default_rng(seed)
        self.weights = {
            "in": chance.normal(size=(inputs, hidden)) / np.sqrt(inputs),
            "out": chance.normal(size=(hidden, 1)) / np.sqrt(hidden),
        }

    def learn(self, X: Array, y: Array, lr: float) -> float:
        """Take one step of gradient descent; return the loss before it."""
        hidden = np.tanh(X @ self.weights["in"])
        error = hidden @ self.weights["out"] - y[:, None]
        slope = 2 * error / len(X)
        back = (slope @ self.weights["out"].T) * (1 - hidden**2)
        self.weights["out"] -= lr * hidden.T @ slope
        self.weights["in"] -= lr * X.T @ back
        return float((error**2).mean())


class Trainer:
    """Trains a net; `folder` gets a checkpoint after every epoch."""

    def __init__(
        self,
        settings: Settings | None = None,
        callbacks: Sequence[Callback] = (),
        folder: Path | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.callbacks = [*callbacks, *(make() for make in default_callbacks)]
        self.folder = folder
        self.step = self.epoch = 0

    def fit(self, X: Array, y: Array, resume_from: Path | None = None) -> Net:
        """Train from scratch, or go on from a checkpoint."""
        net = Net(X.shape[1], self.settings.hidden, self.settings.seed)
        if resume_from is not None:
            self._load(net, resume_from)
        self._call("on_fit_start", resume_from)
        try:
            for epoch in range(self.epoch, self.settings.epochs):
                self.epoch = epoch
                self._save(net, self._learn_all(net, X, y))
        except BaseException as error:
            self._call("on_fit_end", error)
            raise
        self._call("on_fit_end", None)
        return net

    def _learn_all(self, net: Net, X: Array, y: Array) -> float:
        order = np.random.default_rng([self.settings.seed, self.epoch]).permutation(len(X))
        losses = []
        for start in range(0, len(X), self.settings.batch_size):
            rows = order[start : start + self.settings.batch_size]
            losses.append(net.learn(X[rows], y[rows], self.settings.lr))
            self.step += 1
            self._call("on_step_end", losses[-1])
        return float(np.mean(losses))

    def _save(self, net: Net, loss: float) -> None:
        if self.folder is None:
            return
        path = self.folder / f"epoch-{self.epoch}.npz"
        state = json.dumps({"step": self.step, "epoch": self.epoch})
        np.savez(path, state=np.frombuffer(state.encode(), np.uint8), **net.weights)
        self._call("on_save", path, loss)

    def _load(self, net: Net, path: Path) -> None:
        with np.load(path) as content:
            state = json.loads(content["state"].tobytes())
            net.weights = {name: content[name] for name in net.weights}
        self.step, self.epoch = state["step"], state["epoch"] + 1

    def _call(self, hook: str, *arguments: object) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self, *arguments)
