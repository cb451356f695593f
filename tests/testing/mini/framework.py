"""The framework: it knows nothing of runlore, and tells nobody how a fit ended."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

Handler = Callable[["Trainer"], object]


class Trainer:
    """Draws a weight to the mean of some numbers; calls handlers at "setup", "start", "step", "save" and "removal"."""

    def __init__(self, lr: float = 0.25, epochs: int = 4, folder: Path | None = None) -> None:
        self.lr = lr
        self.epochs = epochs
        self.folder = folder
        self.handlers: dict[str, list[Handler]] = {}
        self.weight, self.loss = 0.0, 0.0
        self.step = self.epoch = 0
        self.metrics: dict[str, Any] = {}  # of the user's own, reported at a step
        self.history: list[float] = []
        self.loaded_from: Path | None = None
        self.path: Path | None = None  # of the checkpoint that handlers are told of
        self.why_stopped: str | None = None

    def on(self, event: str, handler: Handler) -> None:
        self.handlers.setdefault(event, []).append(handler)

    def fit(self, data: Sequence[float], resume_from: Path | None = None) -> float:
        """Train for `epochs` epochs, or what is left of them behind a checkpoint."""
        for _ in self.steps(data, resume_from):
            pass
        return self.weight

    def steps(self, data: Sequence[float], resume_from: Path | None = None) -> Iterator[float]:
        """Train, and yield the loss of each step."""
        self.step = self.epoch = 0
        self.weight, self.why_stopped = 0.0, None
        if resume_from is not None:
            self.load(resume_from)
            self.epoch += 1
        self._call("setup")
        self._call("start")
        while self.epoch < self.epochs and self.why_stopped is None:
            for number in data:
                self._learn(number)
                self._call("step")
                yield self.loss
                if self.why_stopped is not None:
                    return
            self.save()
            self.epoch += 1

    def evaluate(self, data: Sequence[float]) -> dict[str, float]:
        """Return the results on other data."""
        return {"test_loss": sum((self.weight - number) ** 2 for number in data) / len(data)}

    def stop(self, why: str) -> None:
        self.why_stopped = why

    def save(self) -> None:
        """Write a checkpoint, and remove the one before the last."""
        if self.folder is None:
            return
        self.path = self.folder / f"{self.epoch:02}.json"
        self.path.write_text(json.dumps({"weight": self.weight, "step": self.step, "epoch": self.epoch}))
        self._call("save")
        self.path = self.folder / f"{self.epoch - 2:02}.json"
        if self.path.exists():
            self.path.unlink()
            self._call("removal")

    def load(self, path: Path) -> None:
        state = json.loads(path.read_text())
        self.weight, self.step, self.epoch = state["weight"], state["step"], state["epoch"]
        self.loaded_from = path

    def _learn(self, number: float) -> None:
        noise = random.uniform(-0.1, 0.1)
        self.loss = (self.weight - number + noise) ** 2
        self.weight += self.lr * (number + noise - self.weight)
        self.step += 1
        self.history.append(self.loss)

    def _call(self, event: str) -> None:
        for handler in list(self.handlers.get(event, ())):
            handler(self)
