"""Optuna fulfils the contract of integrations: a study is the training, a trial a step."""

from typing import Any

import optuna

from runlore.testing import IntegrationContract, Training


class TestOptuna(IntegrationContract):
    integration = "optuna"
    metric = "value"
    param = ("n_trials", 4)
    steps = 4
    first_step = 0
    has_checkpoints = False
    has_children = True
    warm = ("optuna",)

    def train(self, training: Training) -> Any:
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        callbacks: list[Any] = []
        if training.how == "callback":
            from runlore_optuna import RunloreCallback

            callbacks.append(RunloreCallback())
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=2))

        def objective(trial: Any) -> float:
            if trial.number == 0:
                training.early()
            x = float(trial.suggest_float("x", -3, 3)) - trial.suggest_int("n", 0, 3)
            trial.report(x, 0)
            if trial.number == 2:
                training.midway()
                if training.stop:
                    study.stop()
            training.point(trial.number, x * x)
            return float(x * x)

        study.optimize(objective, n_trials=8 if training.longer else 4, callbacks=callbacks)
        return [(trial.params, trial.value, trial.user_attrs, trial.system_attrs) for trial in study.trials]
