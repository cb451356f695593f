"""lightgbm itself: name, tested versions, and what can be had by its private names or the frames of its calls only."""

import sys
from collections.abc import Collection, Mapping
from types import FrameType
from typing import Any

NAME = "lightgbm"
TESTED = ("4.6", "4.7")
FIT = ("X", "y", "sample_weight", "group", "init_score")  # arguments of an estimator's fit that hold data
EVAL = {  # those with an item for each set that is watched, by what stands behind the name of the set
    "sample_weight": "eval_sample_weight", "group": "eval_group", "init_score": "eval_init_score",
}  # fmt: skip
OTHERS = ("self", "eval_set", "eval_X", "eval_y", "eval_metric", "categorical_feature")  # names in such a fit
BETWEEN = ("runlore.", "runlore_lightgbm.")  # modules of wrappers, which stand in between


def check_version() -> None:
    """Warn of a version that runlore is not tested with."""
    import lightgbm

    from runlore.guest import wrapping

    wrapping.check_version("lightgbm", lightgbm.__version__, TESTED)


def fit_under_way() -> Mapping[str, Any] | None:
    """Return the names in the fit of an estimator that has called a wrapper of ours: only they tell for whom it is.

    Of fits within each other, as that of a classifier calls that of its base class, the outermost has the user's data.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _module(frame).startswith(BETWEEN):
        frame = frame.f_back
    found = None
    while frame is not None and _module(frame) == "lightgbm.sklearn" and "self" in frame.f_locals:
        found = frame.f_locals
        frame = frame.f_back
    return None if found is None else {name: found[name] for name in (*FIT, *EVAL.values(), *OTHERS) if name in found}


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def names_of(param: str) -> Collection[str]:
    """Return all names that a param has; its own alone where lightgbm has changed inside."""
    from lightgbm import basic

    aliases = getattr(basic, "_ConfigAliases", None)
    return {param, *(aliases.get(param) if aliases is not None else ())}
