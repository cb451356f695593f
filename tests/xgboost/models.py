"""Small data and trainings, and what tests ask of them."""

from typing import Any

import numpy as np
import xgboost

from runlore import Store

PARAMS = {"objective": "binary:logistic", "max_depth": 2, "eta": 0.5, "nthread": 1}


def rows(count: int = 80, seed: int = 1) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 3)).astype("float32")
    return x, (x[:, 0] + x[:, 1] + random.normal(size=count) > 0).astype(int)


def matrix(count: int = 80, seed: int = 1, **settings: Any) -> Any:
    return xgboost.DMatrix(*rows(count, seed), **settings)


def train(*callbacks: Any, params: Any = PARAMS, rounds: int = 5, **settings: Any) -> Any:
    data = matrix()
    evals = [(data, "train"), (matrix(40, 2), "held_out")]
    settings = {"evals": evals, "verbose_eval": False, "callbacks": list(callbacks), **settings}
    return xgboost.train(params, data, rounds, **settings)


def when(epoch: int, action: Any) -> Any:
    """A callback that acts behind an iteration; what the action returns tells whether training ends."""

    class When(xgboost.callback.TrainingCallback):  # type: ignore[misc,name-defined]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            return bool(action(model)) if epoch == self.epoch else False

    made = When()
    made.epoch = epoch
    return made


def only(store: Store) -> Any:
    (run,) = store.runs()
    return run
