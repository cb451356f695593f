"""xgboost itself: name, tested versions, and what can be had by its private names or the frames of its calls only."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

NAME = "xgboost"
TESTED = ("3.0", "3.1", "3.2")
FIT = (  # arguments of an estimator's fit that hold data
    "X", "y", "sample_weight", "qid", "group", "base_margin", "feature_weights",
)  # fmt: skip
EVAL = {  # those with an item for each set that is watched, by what stands behind the name of the set
    "sample_weight": "sample_weight_eval_set", "qid": "eval_qid", "group": "eval_group",
    "base_margin": "base_margin_eval_set",
}  # fmt: skip
BETWEEN = ("runlore.", "runlore_xgboost.", "xgboost.core")  # modules of wrappers, which stand in between


class Running(NamedTuple):
    """A call of `train` or `cv` as its frames tell it; `fit` are the names in the fit of an estimator that made it."""

    name: str
    arguments: Mapping[str, Any]
    fit: Mapping[str, Any] | None


def check_version() -> None:
    """Warn of a version that runlore is not tested with."""
    import xgboost

    from runlore.guest import wrapping

    wrapping.check_version("xgboost", xgboost.__version__, TESTED)


def leads() -> bool | None:
    """Return True in the process that records; None where the launchers' variables have to tell."""
    from xgboost import collective

    return None if collective.get_world_size() < 2 else bool(collective.get_rank() == 0)


def running() -> Running | None:
    """Return the call of `train` or `cv` that has come to call us; None where xgboost has changed inside."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name in ("train", "cv") and frame.f_globals.get("__name__") == "xgboost.training":
            code, known = frame.f_code, frame.f_locals
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            return Running(code.co_name, {name: known[name] for name in names if name in known}, _fit_at(frame.f_back))
        frame = frame.f_back
    return None


def fit_under_way() -> Mapping[str, Any] | None:
    """Return the names in the fit of an estimator that has called a wrapper of ours: only they tell for whom it is."""
    return _fit_at(sys._getframe(1))


def _fit_at(frame: FrameType | None) -> Mapping[str, Any] | None:
    while frame is not None and _module(frame).startswith(BETWEEN):
        frame = frame.f_back
    if frame is None or _module(frame) != "xgboost.sklearn" or "self" not in frame.f_locals:
        return None
    names = ("self", *FIT, "eval_set", *EVAL.values())
    return {name: value for name, value in frame.f_locals.items() if name in names}


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def folds_of(model: Any) -> Sequence[Any]:
    """Return the folds of a cross-validation, each with a booster and an `eval` of its own."""
    found = getattr(model, "cvfolds", ())
    return found if isinstance(found, list | tuple) else ()


def pickled_by(callback: Any, epoch: int) -> Path | None:
    """Return the file that a TrainingCheckPoint would pickle the model to; None for one that calls `save_model`."""
    known = vars(callback)
    if not known.get("_as_pickle"):
        return None
    return Path(os.fspath(known["_path"])) / f"{known['_name']}_{epoch + known['_start']}.pkl"
