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

    def on_remove(self, trainer: "Trainer", path: Path) -> None:
        """An old checkpoint was removed."""

    def on_fit_end(self, trainer: "Trainer", error: BaseException | None) -> None:
        """Training ended, with an exception or without."""

    def on_evaluate_end(
        self, trainer: "Trainer", X: Array, y: Array, results: dict[str, float]
    ) -> None:
        """The net was evaluated on other data."""


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

    def loss(self, X: Array, y: Array) -> float:
        """Return the loss, and learn nothing."""
        error = np.tanh(X @ self.weights["in"]) @ self.weights["out"] - y[:, None]
        return float((error**2).mean())


class Trainer:
    """Trains a net; `folder` gets a checkpoint after every epoch, and keeps the last two.

    Callbacks may call `stop`, and put numbers of their own into `metrics`.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        callbacks: Sequence[Callback] = (),
        folder: Path | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.callbacks = [*callbacks, *(make() for make in default_callbacks)]
        self.folder = folder
        self.net: Net | None = None
        self.step = self.epoch = 0
        self.metrics: dict[str, object] = {}
        self.why_stopped: str | None = None
        self.loaded_from: Path | None = None

    def fit(self, X: Array, y: Array, resume_from: Path | None = None) -> Net:
        """Train from scratch, or go on from a checkpoint."""
        self.step = self.epoch = 0
        self.why_stopped = None
        net = self.net = Net(X.shape[1], self.settings.hidden, self.settings.seed)
        if resume_from is not None:
            self.load(resume_from)
            self.epoch += 1
        try:
            self._call("on_fit_start", resume_from)
            while self.epoch < self.settings.epochs and self.why_stopped is None:
                loss = self._learn_all(net, X, y)
                if self.why_stopped is None:
                    self._save(net, loss)
                    self.epoch += 1
        except BaseException as error:
            self._call("on_fit_end", error)
            raise
        self._call("on_fit_end", None)
        return net

    def stop(self, why: str) -> None:
        """End the training behind this step."""
        self.why_stopped = why

    def evaluate(self, X: Array, y: Array) -> dict[str, float]:
        """Return the results of the net on other data."""
        assert self.net is not None, "call fit or load first"
        results = {"test_loss": self.net.loss(X, y)}
        self._call("on_evaluate_end", X, y, results)
        return results

    def load(self, path: Path) -> None:
        """Take net, step and epoch of a checkpoint."""
        with np.load(path) as content:
            state = json.loads(content["state"].tobytes())
            weights = {name: content[name] for name in ("in", "out")}
        if self.net is None:
            self.net = Net(*weights["in"].shape, seed=0)
        self.net.weights = weights
        self.step, self.epoch = state["step"], state["epoch"]
        self.loaded_from = path

    def _learn_all(self, net: Net, X: Array, y: Array) -> float:
        order = np.random.default_rng([self.settings.seed, self.epoch]).permutation(len(X))
        losses = []
        for start in range(0, len(X), self.settings.batch_size):
            rows = order[start : start + self.settings.batch_size]
            losses.append(net.learn(X[rows], y[rows], self.settings.lr))
            self.step += 1
            self._call("on_step_end", losses[-1])
            if self.why_stopped is not None:
                break
        return float(np.mean(losses))

    def _save(self, net: Net, loss: float) -> None:
        if self.folder is None:
            return
        path = self.folder / f"epoch-{self.epoch}.npz"
        state = json.dumps({"step": self.step, "epoch": self.epoch})
        np.savez(path, state=np.frombuffer(state.encode(), np.uint8), **net.weights)
        self._call("on_save", path, loss)
        old = self.folder / f"epoch-{self.epoch - 2}.npz"
        if old.exists():
            old.unlink()
            self._call("on_remove", old)

    def _call(self, hook: str, *arguments: object) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self, *arguments)
