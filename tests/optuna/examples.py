"""Studies of the kind that Optuna's documentation shows, each with its results; run with and without a record."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from sklearn.datasets import load_iris, make_regression
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.svm import SVC

Callbacks = list[Any]
Results = list[tuple[Any, ...]]


def results_of(study: Any) -> Results:
    return [
        (trial.number, trial.state, trial.params, trial.values, trial.intermediate_values, trial.user_attrs,
         trial.system_attrs, trial.distributions)
        for trial in study.trials
    ]  # fmt: skip


def which_classifier(callbacks: Callbacks) -> Results:
    """A space with branches, scored by cross-validation."""
    x, y = load_iris(return_X_y=True)

    def objective(trial: Any) -> float:
        model: Any
        if trial.suggest_categorical("classifier", ["SVC", "RandomForest"]) == "SVC":
            model = SVC(C=trial.suggest_float("svc_c", 1e-5, 1e5, log=True), gamma="auto")
        else:
            depth = trial.suggest_int("rf_max_depth", 2, 32, log=True)
            model = RandomForestClassifier(max_depth=depth, n_estimators=5, random_state=0)
        return float(cross_val_score(model, x, y, cv=3).mean())

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=3))
    study.optimize(objective, n_trials=6, callbacks=callbacks)
    return results_of(study)


def pruning(callbacks: Callbacks) -> Results:
    """An iterative learner that reports after each step, and is pruned."""
    x, y = load_iris(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(x, y, test_size=0.25, random_state=0)

    def objective(trial: Any) -> float:
        model = SGDClassifier(alpha=trial.suggest_float("alpha", 1e-5, 1e-1, log=True), random_state=0)
        for step in range(5):
            model.partial_fit(x_train, y_train, classes=[0, 1, 2])
            trial.report(1.0 - model.score(x_valid, y_valid), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return 1.0 - float(model.score(x_valid, y_valid))

    study = optuna.create_study(
        sampler=optuna.samplers.RandomSampler(seed=1), pruner=optuna.pruners.MedianPruner(n_startup_trials=2)
    )
    study.optimize(objective, n_trials=8, callbacks=callbacks)
    return results_of(study)


def two_objectives(callbacks: Callbacks) -> Results:
    """The Binh and Korn functions."""

    def objective(trial: Any) -> tuple[float, float]:
        x, y = trial.suggest_float("x", 0, 5), trial.suggest_float("y", 0, 3)
        return 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2

    study = optuna.create_study(
        directions=["minimize", "minimize"], sampler=optuna.samplers.NSGAIISampler(seed=0, population_size=4)
    )
    study.optimize(objective, n_trials=10, callbacks=callbacks)
    return [*results_of(study), *((trial.number,) for trial in study.best_trials)]


def ask_and_tell(callbacks: Callbacks) -> Results:
    """A loop of one's own, with trials that are known before."""
    x, y = make_regression(n_samples=40, n_features=3, random_state=0)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=2))
    study.enqueue_trial({"scale": 0.5})
    study.add_trial(
        optuna.create_trial(
            params={"scale": 0.1}, distributions={"scale": optuna.distributions.FloatDistribution(0, 1)}, value=9.0
        )
    )
    for _ in range(5):
        trial = study.ask()
        scale = trial.suggest_float("scale", 0, 1)
        frozen = study.tell(trial, float(((x.sum(1) * scale - y) ** 2).mean()))
        for callback in callbacks:
            callback(study, frozen)
    return results_of(study)


def a_database(callbacks: Callbacks) -> Results:
    """A study that is saved and goes on, with failures that are caught."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'example.db'}"
        for _ in range(2):
            study = optuna.create_study(
                study_name="example", storage=url, load_if_exists=True, sampler=optuna.samplers.RandomSampler(seed=3)
            )

            def objective(trial: Any) -> float:
                x = float(trial.suggest_float("x", -10, 10))
                trial.set_user_attr("sign", "+" if x > 0 else "-")
                if trial.number == 1:
                    raise ValueError("no result")
                return (x - 2) ** 2

            study.optimize(objective, n_trials=3, catch=(ValueError,), callbacks=callbacks)
        return results_of(study)


EXAMPLES: dict[str, Callable[[Callbacks], Results]] = {
    function.__name__: function for function in (which_classifier, pruning, two_objectives, ask_and_tell, a_database)
}
