"""Describe the data that an estimator is fitted on, and copy what is small enough to be scored."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from runlore import FitSession

MAX_SCORED_ROWS = 10_000  # of training data that is scored
MAX_SCORED_BYTES = 64 << 20
MAX_CLASSES = 1_000  # whose names are recorded

Args = tuple[Any, ...]
Kwargs = Mapping[str, Any]
Data = tuple[Any, Any]  # X and y


def data_of(args: Args, kwargs: Kwargs) -> Data:
    """Return X and y of a call, given by position or by name."""
    return args[0] if args else kwargs.get("X"), args[1] if len(args) > 1 else kwargs.get("y")


def record_data(session: FitSession, args: Args, kwargs: Kwargs) -> str | None:
    """Describe X, y and what else of a call has rows, such as weights; return the fingerprint of X."""
    named = dict(zip(("X", "y"), data_of(args, kwargs), strict=True))
    if len(args) > 2:
        named["sample_weight"] = args[2]
    named |= {name: value for name, value in kwargs.items() if name not in ("X", "y")}
    prints = {}
    for name, value in named.items():
        if value is not None and (name in ("X", "y") or hasattr(value, "shape") or isinstance(value, list)):
            prints[name] = session.data(name, value)
    return prints.get("X")


def record_classes(session: FitSession, estimator: Any) -> None:
    """Record the classes of y; those of several outputs are left out, as y's columns tell them apart."""
    classes = getattr(estimator, "classes_", None)
    if classes is not None and not isinstance(classes, list):
        session.data("y", n_classes=len(classes), classes=np.asarray(classes)[:MAX_CLASSES].tolist())


def copy_to_score(data: Any) -> Any:
    """Return a copy of data that is small enough to be scored; None for other data."""
    shape = getattr(data, "shape", None) or ((len(data),) if isinstance(data, list | tuple) else None)
    if not shape or shape[0] > MAX_SCORED_ROWS or getattr(data, "nbytes", 0) > MAX_SCORED_BYTES:
        return None
    if isinstance(data, list | tuple):
        return [list(item) if isinstance(item, list) else item for item in data]
    return data.copy() if hasattr(data, "copy") else data.clone() if hasattr(data, "clone") else None
