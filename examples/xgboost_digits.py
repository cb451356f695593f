"""Boosted trees on scikit-learn's digits with xgboost: one callback, no tracking code.

Run it, then look: `runlore ls`, `runlore show NAME`, `runlore diff NAME NAME`, `runlore which-run FILE`
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import xgboost
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from runlore_xgboost import RunloreCallback


def main() -> None:
    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(digits.data, digits.target, random_state=0)
    train, test = xgboost.DMatrix(x_train, y_train), xgboost.DMatrix(x_test, y_test)
    params = {"objective": "multi:softprob", "num_class": 10, "eval_metric": ["mlogloss", "merror"], "eta": 0.4}
    with TemporaryDirectory() as folder:
        models = {}
        for depth in (1, 3):
            booster = xgboost.train(
                {**params, "max_depth": depth}, train, 25, evals=[(train, "train"), (test, "test")],
                early_stopping_rounds=3, verbose_eval=False, callbacks=[RunloreCallback()],
            )  # fmt: skip
            models[booster.best_score] = Path(folder, f"depth-{depth}.ubj")
            booster.save_model(models[booster.best_score])
            print(f"depth {depth}: test error {booster.best_score:.3f} after {booster.best_iteration + 1} iterations")
        better = models[min(models)]
        xgboost.train(
            {**params, "max_depth": 2, "eta": 0.1}, train, 5, evals=[(train, "train"), (test, "test")],
            verbose_eval=False, xgb_model=better, callbacks=[RunloreCallback("going on")],
        )  # fmt: skip
    table = xgboost.cv({**params, "max_depth": 2}, train, 10, nfold=3, callbacks=[RunloreCallback("validated")])
    print(f"cross-validated error {table['test-merror-mean'].iloc[-1]:.3f}")


if __name__ == "__main__":
    main()
