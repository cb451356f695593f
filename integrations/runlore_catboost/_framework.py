"""catboost itself: name, tested versions, and what its models and files tell only by their form."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "catboost"
TESTED = ("1.2",)
ALIASES = (  # names that catboost takes for one param; the first is the one that `get_all_params` tells
    ("learning_rate", "eta"), ("iterations", "n_estimators", "num_boost_round", "num_trees"),
    ("depth", "max_depth"), ("l2_leaf_reg", "reg_lambda"), ("random_seed", "random_state"),
    ("rsm", "colsample_bylevel"), ("border_count", "max_bin"), ("loss_function", "objective"),
    ("min_data_in_leaf", "min_child_samples"), ("max_leaves", "num_leaves"), ("od_wait", "early_stopping_rounds"),
    ("custom_metric", "custom_loss"),
)  # fmt: skip
DEFAULT_ITERATIONS = 1000


def check_version() -> None:
    """Warn of a version that runlore is not tested with."""
    import catboost

    from runlore.guest import wrapping

    wrapping.check_version("catboost", catboost.__version__, TESTED)


def names_of(param: str) -> tuple[str, ...]:
    """Return all names that a param has."""
    return next((names for names in ALIASES if param in names), (param,))


def given(params: Mapping[str, Any], name: str) -> Any:
    """Return the value of a param under any of its names; None where it was not given."""
    return next((params[known] for known in names_of(name) if params.get(known) is not None), None)


def takes_callbacks(params: Mapping[str, Any]) -> bool:
    """Return True where catboost calls callbacks: not on a GPU."""
    return str(params.get("task_type")).upper() != "GPU"


def snapshot_of(params: Mapping[str, Any]) -> Path | None:
    """Return the file that a fit keeps its progress in, and goes on from if it is there; None where it keeps none."""
    if not params.get("save_snapshot"):
        return None
    return train_dir(params) / (params.get("snapshot_file") or "experiment.cbsnapshot")


def train_dir(params: Mapping[str, Any]) -> Path:
    """Return the folder that catboost writes its own files to."""
    return Path(params.get("train_dir") or "catboost_info").absolute()


def told_by(error: BaseException | None) -> BaseException | None:
    """Return the exception of the user's that a CatBoostError tells by its text only, or Ctrl-C; others as they are."""
    cause = None if error is None or type(error).__name__ != "CatBoostError" else error.__context__
    if cause is None:
        return error
    last = str(error).rstrip().rpartition("\n")[2].rpartition(".")[2]  # the class of a foreign one has its module
    return cause if last.startswith(type(cause).__name__) and str(cause) in str(error) else error
