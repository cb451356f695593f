"""Small data and trainings, and what tests ask of them."""

from typing import Any

import catboost
import numpy as np

from runlore import Store

PARAMS = {
    "iterations": 5, "learning_rate": 0.25, "depth": 2, "thread_count": 1, "verbose": 0, "allow_writing_files": False,
}  # fmt: skip


def rows(count: int = 120, seed: int = 1) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 3)).astype("float32")
    return x, (x[:, 0] + x[:, 1] + random.normal(size=count) > 0).astype(int)


def pools(**settings: Any) -> tuple[Any, Any]:
    return catboost.Pool(*rows(), **settings), catboost.Pool(*rows(60, 2), **settings)


def classifier(**params: Any) -> Any:
    return catboost.CatBoostClassifier(**{**PARAMS, **params})


def train(*callbacks: Any, fit: Any = None, **params: Any) -> Any:
    """Fit a classifier; without callbacks none are given, as under autolog."""
    given = {"callbacks": list(callbacks)} if callbacks else {}
    return classifier(**params).fit(*rows(), **{"eval_set": rows(60, 2), **given, **(fit or {})})


class When:
    """A callback that acts behind an iteration, counted from 1 as catboost tells it, and ends the fit where asked."""

    def __init__(self, iteration: int, action: Any) -> None:
        self.iteration, self.action = iteration, action

    def after_iteration(self, info: Any) -> bool:
        return info.iteration != self.iteration or self.action() is not False


def steps_of(series: Any) -> list[int]:
    return list(series.steps.tolist())


def only(store: Store) -> Any:
    (run,) = store.runs()
    return run
