"""scikit-learn fulfils the contract of integrations."""

from typing import Any

from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

from runlore.testing import IntegrationContract, Training


class Calling(MLPClassifier):  # type: ignore[misc]
    """Calls something in the midst of its fit."""

    def _validate_input(self, *args: Any, **kwargs: Any) -> Any:
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

    def train(self, training: Training) -> Any:
        data = load_iris()
        model = Calling(max_iter=3, random_state=0)
        model.calling = training.midway
        model.fit(data.data, data.target)
        return [weights.tolist() for weights in model.coefs_]
