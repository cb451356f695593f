"""Small data and trainings, and what tests ask of them."""

from typing import Any

import lightgbm
import numpy as np

from runlore import Store

PARAMS = {
    "objective": "binary", "num_leaves": 4, "learning_rate": 0.25, "min_data_in_leaf": 5, "num_threads": 1,
    "verbosity": -1, "deterministic": True, "force_row_wise": True,
}  # fmt: skip


def rows(count: int = 120, seed: int = 1) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 3)).astype("float32")
    return x, (x[:, 0] + x[:, 1] + random.normal(size=count) > 0).astype(int)


def datasets(**settings: Any) -> tuple[Any, Any]:
    train = lightgbm.Dataset(*rows(), **settings)
    return train, train.create_valid(*rows(60, 2))


def train(*callbacks: Any, params: Any = PARAMS, rounds: int = 5, **settings: Any) -> Any:
    data, held_out = datasets()
    settings = {"valid_sets": [data, held_out], "valid_names": ["train", "held out"], **settings}
    return lightgbm.train(params, data, rounds, callbacks=list(callbacks), **settings)


def when(iteration: int, action: Any) -> Any:
    """A callback that acts behind an iteration, counted from 1 as lightgbm tells it."""

    def call(env: Any) -> None:
        if env.iteration + 1 == iteration:
            action(env.model)

    return call


def only(store: Store) -> Any:
    (run,) = store.runs()
    return run
