"""The numbers that a fitted estimator predicts by, where users can set them: do they still come of a fit?"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from runlore.guest.additions import Tensors, tensors_of

MAX_ARRAYS = 300  # of an estimator and all that is inside
MAX_DEPTH = 6  # of estimators, lists and tuples within each other
MAX_DENSE = 1 << 20  # numbers of a sparse matrix, which is compared as the dense one that it stands for
TREES = "sklearn.tree."  # the home of the one class of its own that scikit-learn keeps in a fitted attribute


def weights_in(estimator: Any) -> Tensors:
    """Return what gives the fitted numbers of an estimator, of those inside it, and of a torch module, to the core."""
    return lambda: list(islice(_flat(estimator, MAX_DEPTH), MAX_ARRAYS))


def _flat(value: Any, depth: int) -> Iterator[Any]:
    if depth == 0:
        return
    if hasattr(type(value), "get_params") and hasattr(value, "__dict__"):
        for name, part in sorted(vars(value).items()):
            is_fitted = name.endswith("_") and not name.startswith("_")
            yield from _flat(part, depth - 1) if is_fitted else _fitted_in(part, depth - 1)
    elif isinstance(value, np.ndarray):
        yield from [value.reshape(-1)] if value.dtype != object else _each(value.ravel().tolist(), depth)
    elif isinstance(value, bool | int | float | np.generic):
        yield np.array([value])
    elif isinstance(value, list | tuple):
        yield from _each(value, depth)
    else:
        yield from _others(value)


def _each(items: Sequence[Any], depth: int) -> Iterator[Any]:
    for item in items[:MAX_ARRAYS]:
        yield from _flat(item, depth - 1)


def _fitted_in(value: Any, depth: int) -> Iterator[Any]:
    """Yield what estimators hold that are a parameter, or in a list of one, as the steps of a pipeline."""
    if hasattr(type(value), "get_params"):
        yield from _flat(value, depth)
    elif isinstance(value, list | tuple) and depth:
        for item in value[:MAX_ARRAYS]:
            yield from _fitted_in(item, depth - 1)


def _others(value: Any) -> Iterator[Any]:
    if hasattr(value, "toarray"):
        dense = value.toarray() if np.prod(value.shape) <= MAX_DENSE else value.data
        yield dense.reshape(-1)
    elif type(value).__module__.startswith(TREES):
        yield from (value.value.reshape(-1), value.threshold, value.children_left, value.children_right)
    elif hasattr(value, "parameters") and hasattr(value, "buffers"):
        yield from tensors_of(value)() or ()
