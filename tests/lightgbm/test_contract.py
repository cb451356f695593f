"""lightgbm fulfils the contract of integrations: by its own functions, and by its estimators."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runlore.testing import IntegrationContract, Training

ROWS = np.random.default_rng(1).normal(size=(120, 3)).astype("float32")
LABELS = (ROWS.sum(1) + np.random.default_rng(2).normal(size=120) > 0).astype(int)
PARAMS = {
    "objective": "binary", "learning_rate": 0.25, "num_leaves": 4, "bagging_fraction": 0.5, "bagging_freq": 1,
    "min_data_in_leaf": 5, "num_threads": 1, "verbosity": -1,
}  # fmt: skip


@pytest.mark.shows("lightgbm", "processes")
class TestLightgbm(IntegrationContract):
    integration = "lightgbm"
    metric = "valid_0/binary_logloss"
    param = ("learning_rate", 0.25)
    steps = 8
    warm = ("lightgbm",)

    def train(self, training: Training) -> Any:
        import lightgbm

        import runlore_lightgbm

        own = runlore_lightgbm if training.how == "callback" else None  # its callback is named as late as users may
        data = lightgbm.Dataset(ROWS, LABELS)
        done = 0
        if training.resume_from is not None:
            done = lightgbm.Booster(model_file=training.resume_from).current_iteration()
        result: Any = {}
        booster = lightgbm.train(
            PARAMS, data, self.steps * (2 if training.longer else 1) - done,
            valid_sets=[lightgbm.Dataset(ROWS[:60], LABELS[:60], reference=data)], feval=odd(training),
            init_model=training.resume_from,
            callbacks=[
                *([own.RunloreCallback()] if own else []), users(training, done), lightgbm.record_evaluation(result)
            ],
        )  # fmt: skip
        return booster.model_to_string(), repr(result)

    def checkpoint(self, folder: Path) -> Path:
        return max(folder.glob("*.txt"), key=lambda path: int(path.stem))

    def saved_at(self, checkpoint: Path) -> tuple[int, float | None]:
        import lightgbm

        return lightgbm.Booster(model_file=checkpoint).current_iteration(), None


def odd(training: Training) -> Any:
    def metric(predicted: Any, data: Any) -> tuple[str, Any, bool]:
        training.early()
        unusual = training.unusual()
        return "odd", 1.0 if unusual is None else unusual, True

    return metric


def users(training: Training, done: int) -> Any:
    """A callback that keeps the newest two models, as users write them."""
    import lightgbm

    def call(env: Any) -> None:
        step = env.iteration + 1
        training.point(step, env.evaluation_result_list[0].metric_value)
        (training.folder / f"{step - 2}.txt").unlink(missing_ok=True)
        env.model.save_model(training.folder / f"{step}.txt")
        if step == 5:
            training.midway()
            if training.stop:
                raise lightgbm.early_stopping.__globals__["EarlyStopException"](4, env.evaluation_result_list)

    return call


class TestEstimators(IntegrationContract):
    integration = "lightgbm"
    metric = "valid_0/binary_logloss"
    param = ("learning_rate", 0.25)
    steps = 8
    has_checkpoints = False
    warm = ("lightgbm",)

    def make(self, training: Training) -> Any:
        import lightgbm

        return lightgbm.LGBMClassifier(
            n_estimators=self.steps, learning_rate=0.25, num_leaves=4, subsample=0.5, subsample_freq=1, verbosity=-1,
            min_child_samples=5, n_jobs=1,
        )  # fmt: skip

    def fit(self, trainer: Any, training: Training) -> Any:
        import runlore_lightgbm

        if training.longer:
            trainer.set_params(n_estimators=2 * self.steps)

        def users(env: Any) -> None:
            training.point(env.iteration + 1, env.evaluation_result_list[0].metric_value)
            if env.iteration == 4:
                training.midway()

        own = [runlore_lightgbm.RunloreCallback()] if training.how == "callback" else []
        trainer.fit(ROWS, LABELS, eval_set=[(ROWS[:60], LABELS[:60])], callbacks=[*own, users])
        return trainer.booster_.model_to_string(), trainer.evals_result_
