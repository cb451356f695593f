"""The part that an author fills in: the settings of an integration, and how its framework trains."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from runlore.testing.training import Training, random_states, train_checked


class Settings:
    """The settings of one integration's tests; a subclass gives them their values."""

    integration: ClassVar[str]
    metric: ClassVar[str]
    param: ClassVar[tuple[str, Any]]
    steps: ClassVar[int]
    first_step: ClassVar[int] = 1
    hows: ClassVar[tuple[str, ...]] = ("callback", "autolog")
    has_checkpoints: ClassVar[bool] = True
    has_children: ClassVar[bool] = False
    warm: ClassVar[tuple[str, ...]] = ()
    follower: ClassVar[Mapping[str, str] | None] = {"WORLD_SIZE": "2", "RANK": "1"}

    def train(self, training: Training) -> Any:
        """Train as asked, and return the weights; by default `fit` what `make` returns."""
        return self.fit(self.make(training), training)

    def make(self, training: Training) -> Any:
        """Return what trains: a trainer, a model."""
        raise NotImplementedError

    def fit(self, trainer: Any, training: Training) -> Any:
        """Train with what `make` has returned, as asked, and return the weights."""
        raise NotImplementedError

    def checkpoint(self, folder: Path) -> Path:
        """Return the newest checkpoint in a folder that `train` was given."""
        raise NotImplementedError

    def iterate(self, training: Training) -> Iterator[object]:
        """Train by a generator of the framework's, which yields at each step."""
        raise NotImplementedError

    def saved_at(self, checkpoint: Path) -> tuple[int, float | None]:
        """Return the step and the epoch that a checkpoint itself tells; None for an epoch that it does not tell."""
        raise NotImplementedError

    def evaluate(self, trainer: Any, training: Training, number: int) -> Mapping[str, float]:
        """Evaluate on the data of a number, and return what the framework tells.

        Data of another number has other content of the same form. The weights are those of `training.resume_from`;
        where that is None, those that `trainer` has after its fit.
        """
        raise NotImplementedError

    def random_states(self) -> Any:
        """Return the global random states, comparable with `==`; add those of your framework."""
        return random_states()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "train" in vars(cls) or "fit" in vars(cls):
            inner = vars(cls).get("train", Settings.train)

            def checked(self: "Settings", training: Training) -> Any:
                return train_checked(self, training, inner)

            cls.train = checked  # type: ignore[method-assign]

    @pytest.fixture(autouse=True)
    def _is_complete(self) -> None:
        """Fail, and say what a subclass has forgotten, before anything is trained."""
        wanted = {
            "integration": "the name that its runs are tagged with",
            "metric": "the name of a metric that has a point for each step",
            "param": "a hyperparameter's recorded name and its value",
            "steps": "how many steps a training has",
        }
        missing = [f"{name} ({what})" for name, what in wanted.items() if not hasattr(self, name)]
        cls = type(self)
        if cls.train is Settings.train:
            missing.append("the method train(training), or make(training) and fit(trainer, training)")
        if self.has_checkpoints and cls.checkpoint is Settings.checkpoint:
            missing.append("the method checkpoint(folder), or has_checkpoints = False")
        if missing:
            pytest.fail(f"{cls.__name__} lacks: {'; '.join(missing)}", pytrace=False)
        unknown = [how for how in self.hows if how not in ("callback", "autolog")]
        if unknown:
            pytest.fail(f"{cls.__name__}.hows has {unknown[0]!r}: write 'callback' or 'autolog'", pytrace=False)

    def _needs(self, *methods: str) -> None:
        """Skip what needs optional methods of the contract's subclass, and say which."""
        missing = [name for name in methods if getattr(type(self), name) is getattr(Settings, name)]
        if missing:
            pytest.skip(f"{type(self).__name__} has no {' and no '.join(missing)}: IntegrationContract tells what for")
