"""catboost fulfils the contract of integrations: by the functions of its models, and with pools."""

from typing import Any

import numpy as np
import pytest

from runlore.testing import IntegrationContract, Training

ROWS = np.random.default_rng(1).normal(size=(120, 3)).astype("float32")
LABELS = (ROWS.sum(1) + np.random.default_rng(2).normal(size=120) > 0).astype(int)
PARAMS = {
    "learning_rate": 0.25, "depth": 2, "thread_count": 1, "verbose": 0, "allow_writing_files": False, "subsample": 0.5,
    "bootstrap_type": "Bernoulli",
}  # fmt: skip


@pytest.mark.shows("catboost", "processes")
class TestClassifier(IntegrationContract):
    integration = "catboost"
    metric = "validation/Logloss"
    param = ("learning_rate", 0.25)
    steps = 8
    first_step = 0
    has_checkpoints = False  # but for snapshots, which are written when time has passed
    warm = ("catboost",)

    def make(self, training: Training) -> Any:
        import catboost

        return catboost.CatBoostClassifier(iterations=self.steps, eval_metric=Odd(), **PARAMS)

    def fit(self, trainer: Any, training: Training) -> Any:
        import catboost

        import runlore_catboost

        if training.longer:  # catboost changes no params of a model that was fitted
            trainer.__init__(iterations=2 * self.steps, eval_metric=Odd(), **PARAMS)
        own = [runlore_catboost.RunloreCallback()] if training.how == "callback" else []
        users = Users(training)
        try:
            trainer.fit(ROWS, LABELS, eval_set=(ROWS[:60], LABELS[:60]), callbacks=[*own, users])
        except catboost.CatBoostError as error:  # which tells the user's own by its text only
            raise (users.error or error) from None
        return trainer.predict_proba(ROWS).tolist(), repr(trainer.get_evals_result())


class Odd:
    """A metric of the user's own."""

    def is_max_optimal(self) -> bool:
        return False

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
        return float(sum(approxes[0])), 1.0

    def get_final_error(self, error: float, weight: float) -> float:
        return error


class Users:
    """A callback as users write them."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.error: BaseException | None = None

    def after_iteration(self, info: Any) -> bool:
        try:
            if info.iteration == 1:
                self.training.early()
            self.training.point(info.iteration - 1, info.metrics["validation"]["Logloss"][-1])
            if info.iteration == 5:
                self.training.midway()
        except BaseException as error:
            self.error = error
            raise
        return not (self.training.stop and info.iteration == 5)
