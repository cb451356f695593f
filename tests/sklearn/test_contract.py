"""scikit-learn fulfils the contract of integrations."""

from collections.abc import Mapping
from typing import Any

from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

from runlore.testing import IntegrationContract, Training


class Calling(MLPClassifier):  # type: ignore[misc]
    """Calls something in the midst of its fit."""

    def _validate_input(self, *args: Any, **kwargs: Any) -> Any:
        self.early()
        self.calling()
        return super()._validate_input(*args, **kwargs)

    def __sklearn_clone__(self) -> Any:
        raise AssertionError("nobody asked for a clone")

    def __reduce__(self) -> Any:
        raise TypeError("its call can't be pickled")


class TestSklearn(IntegrationContract):
    integration = "sklearn"
    metric = "fit_seconds"
    param = ("max_iter", 3)
    steps = 1
    first_step = 0
    hows = ("autolog",)
    has_checkpoints = False
    warm = ("sklearn.neural_network",)

    def make(self, training: Training) -> Any:
        return Calling(max_iter=3, random_state=0)

    def fit(self, trainer: Any, training: Training) -> Any:
        data = load_iris()
        trainer.calling = training.midway
        trainer.early = training.early
        trainer.fit(data.data, data.target)
        del trainer.calling, trainer.early
        return [weights.tolist() for weights in trainer.coefs_]

    def evaluate(self, trainer: Any, training: Training, number: int) -> Mapping[str, float]:
        data = load_iris()
        return {"score": trainer.score(data.data[number * 40 :], data.target[number * 40 :])}
