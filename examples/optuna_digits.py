"""Tune a classifier of handwritten digits with Optuna; two lines of runlore, no tracking code.

Run it, then look: `runlore ls --all`, `runlore show NAME`.
"""

import runlore

runlore.autolog()

import optuna  # noqa: E402  # autolog works before and after an import
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.linear_model import SGDClassifier  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402


def main() -> None:
    features, target = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(features / 16, target, test_size=0.3, random_state=0)

    def objective(trial: optuna.Trial) -> float:
        alpha = trial.suggest_float("alpha", 1e-6, 1.0, log=True)
        loss = trial.suggest_categorical("loss", ["hinge", "log_loss"])
        model = SGDClassifier(alpha=alpha, loss=loss, random_state=0)
        score = 0.0
        for step in range(5):
            model.partial_fit(x_train, y_train, classes=range(10))
            score = float(model.score(x_test, y_test))
            trial.report(score, step)
            if trial.should_prune():
                raise optuna.TrialPruned(f"a score of {score:.3f} after {step + 1} rounds")
        return score

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    study.optimize(objective, n_trials=8)
    study.optimize(objective, n_trials=4)  # goes on in the same run
    print(f"best score {study.best_value:.3f} with {study.best_params}")


if __name__ == "__main__":
    main()
