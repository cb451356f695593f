"""Boosted trees on scikit-learn's digits with lightgbm: one callback, no tracking code.

Run it, then look: `runlore ls`, `runlore show NAME`, `runlore diff NAME NAME`, `runlore which-run FILE`
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import lightgbm
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from runlore_lightgbm import RunloreCallback

PARAMS = {"objective": "multiclass", "num_class": 10, "metric": ["multi_error", "multi_logloss"], "verbosity": -1}


def main() -> None:
    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(digits.data, digits.target, random_state=0)
    train = lightgbm.Dataset(x_train, y_train, free_raw_data=False)
    test = lightgbm.Dataset(x_test, y_test, reference=train, free_raw_data=False)
    stop = lightgbm.early_stopping(5, first_metric_only=True, verbose=False)
    with TemporaryDirectory() as folder:
        models = {}
        for leaves in (3, 8):
            booster = lightgbm.train(
                {**PARAMS, "num_leaves": leaves, "learning_rate": 0.3}, train, 25,
                valid_sets=[test], valid_names=["test"], callbacks=[RunloreCallback(), stop],
            )  # fmt: skip
            error = booster.best_score["test"]["multi_error"]
            models[error] = Path(folder, f"leaves-{leaves}.txt")
            booster.save_model(models[error])
            print(f"{leaves} leaves: test error {error:.3f} after {booster.best_iteration} iterations")
        lightgbm.train(
            {**PARAMS, "num_leaves": 8, "learning_rate": 0.05}, train, 5, valid_sets=[test], valid_names=["test"],
            init_model=models[min(models)], callbacks=[RunloreCallback("going on")],
        )  # fmt: skip
    whole = lightgbm.Dataset(digits.data, digits.target)
    table = lightgbm.cv({**PARAMS, "num_leaves": 8}, whole, 10, nfold=3, callbacks=[RunloreCallback("validated")])
    print(f"cross-validated error {table['valid multi_error-mean'][-1]:.3f}")


if __name__ == "__main__":
    main()
