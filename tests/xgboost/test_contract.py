"""xgboost fulfils the contract of integrations: by its own functions, and by its estimators."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runlore.testing import IntegrationContract, Training

ROWS = np.random.default_rng(1).normal(size=(60, 3)).astype("float32")
LABELS = (ROWS.sum(1) + np.random.default_rng(2).normal(size=60) > 0).astype(int)
PARAMS = {"objective": "binary:logistic", "eta": 0.25, "max_depth": 2, "subsample": 0.5, "nthread": 1}


@pytest.mark.shows("xgboost", "processes")
class TestXgboost(IntegrationContract):
    integration = "xgboost"
    metric = "train/logloss"
    param = ("eta", 0.25)
    steps = 8
    first_step = 0
    warm = ("xgboost",)

    def train(self, training: Training) -> Any:
        import xgboost

        import runlore_xgboost

        own = runlore_xgboost if training.how == "callback" else None  # its callback is named as late as users may
        data = xgboost.DMatrix(ROWS, LABELS)
        done = 0
        if training.resume_from is not None:
            done = xgboost.Booster(model_file=training.resume_from).num_boosted_rounds()
        result: Any = {}
        booster = xgboost.train(
            PARAMS, data, self.steps * (2 if training.longer else 1) - done,
            evals=[(data, "train")], evals_result=result, verbose_eval=False, xgb_model=training.resume_from,
            custom_metric=odd(training),
            callbacks=[*([own.RunloreCallback()] if own else []), users(training, done)],
        )  # fmt: skip
        return booster.save_raw("json").decode(), result

    def checkpoint(self, folder: Path) -> Path:
        return max(folder.glob("*.ubj"), key=lambda path: int(path.stem))

    def saved_at(self, checkpoint: Path) -> tuple[int, float | None]:
        import xgboost

        return xgboost.Booster(model_file=checkpoint).num_boosted_rounds() - 1, None


def odd(training: Training) -> Any:
    def metric(predicted: Any, data: Any) -> tuple[str, Any]:
        unusual = training.unusual()
        return "odd", 1.0 if unusual is None else unusual

    return metric


def users(training: Training, done: int) -> Any:
    """A callback that keeps the newest two models, as users write them."""
    import xgboost

    class Users(xgboost.callback.TrainingCallback):  # type: ignore[misc,name-defined]
        def before_training(self, model: Any) -> Any:
            training.early()
            return model

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            epoch += done
            training.point(epoch, evals_log["train"]["logloss"][-1])
            (training.folder / f"{epoch - 2}.ubj").unlink(missing_ok=True)
            model.save_model(training.folder / f"{epoch}.ubj")
            if epoch == 4:
                training.midway()
            return training.stop and epoch == 4

    return Users()


class TestEstimators(IntegrationContract):
    integration = "xgboost"
    metric = "validation_0/logloss"
    param = ("learning_rate", 0.25)
    steps = 8
    first_step = 0
    has_checkpoints = False
    warm = ("xgboost",)

    def make(self, training: Training) -> Any:
        import xgboost

        import runlore_xgboost

        callbacks = [*([runlore_xgboost.RunloreCallback()] if training.how == "callback" else []), users_of()]
        return xgboost.XGBClassifier(
            n_estimators=self.steps, learning_rate=0.25, max_depth=2, subsample=0.5, n_jobs=1, callbacks=callbacks
        )

    def fit(self, trainer: Any, training: Training) -> Any:
        if training.longer:
            trainer.set_params(n_estimators=2 * self.steps)
        trainer.callbacks[-1].training = training
        trainer.fit(ROWS, LABELS, eval_set=[(ROWS[:30], LABELS[:30])], verbose=False)
        return trainer.get_booster().save_raw("json").decode(), trainer.evals_result()


def users_of() -> Any:
    import xgboost

    class Users(xgboost.callback.TrainingCallback):  # type: ignore[misc,name-defined]
        training: Training

        def before_training(self, model: Any) -> Any:
            self.training.early()
            return model

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            self.training.point(epoch, evals_log["validation_0"]["logloss"][-1])
            if epoch == 4:
                self.training.midway()
            return self.training.stop and epoch == 4

    return Users()
