import optuna
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

optuna.logging.set_verbosity(optuna.logging.WARNING)
X, y = load_iris(return_X_y=True)


def objective(trial):
    depth = trial.suggest_int("depth", 1, 5)
    return cross_val_score(DecisionTreeClassifier(max_depth=depth, random_state=0), X, y, cv=3).mean()


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(objective, n_trials=4)
print(study.best_params, round(study.best_value, 4))
