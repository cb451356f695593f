"""Boosted trees on scikit-learn's digits with catboost: one callback, no tracking code.

Run it, then look: `runlore ls`, `runlore show NAME`, `runlore diff NAME NAME`, `runlore which-run FILE`
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import catboost
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import runlore
from runlore_catboost import RunloreCallback

PARAMS = {"loss_function": "MultiClass", "custom_metric": ["Accuracy"], "border_count": 16, "verbose": 0}


def main() -> None:
    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(digits.data, digits.target, random_state=0)
    train, test = catboost.Pool(x_train, y_train), catboost.Pool(x_test, y_test)
    with TemporaryDirectory() as folder:
        params = {**PARAMS, "train_dir": folder}
        models = {}
        for depth in (1, 4):
            model = catboost.CatBoostClassifier(**params, depth=depth, learning_rate=0.5, iterations=40)
            model.fit(train, eval_set=test, early_stopping_rounds=5, callbacks=[RunloreCallback()])
            score = model.best_score_["validation"]["Accuracy"]
            models[score] = Path(folder, f"depth-{depth}.cbm")
            model.save_model(models[score])
            print(f"depth {depth}: test accuracy {score:.3f} after {model.best_iteration_} iterations")
        going_on = catboost.CatBoostClassifier(**params, depth=4, learning_rate=0.1, iterations=5)
        going_on.fit(train, eval_set=test, init_model=models[max(models)], callbacks=[RunloreCallback("going on")])
        with runlore.autolog("catboost"):  # `cv` takes no callbacks
            table = catboost.cv(catboost.Pool(digits.data, digits.target), params, iterations=10, fold_count=3)
        print(f"cross-validated accuracy {table['test-Accuracy-mean'].iloc[-1]:.3f}")


if __name__ == "__main__":
    main()
