"""Params: what a fit was given, and what the model made of it."""

from collections.abc import Mapping
from typing import Any

import catboost
import numpy as np

from runlore.guest.captured import Captured, defaults_of, marked, named
from runlore_catboost._framework import names_of

FIT = (  # arguments of `fit` that are params of the model, too
    "use_best_model", "early_stopping_rounds", "metric_period", "save_snapshot", "snapshot_file", "snapshot_interval",
    "cat_features", "text_features", "embedding_features",
)  # fmt: skip
CV = ("fold_count", "nfold", "inverted", "partition_random_seed", "seed", "shuffle", "stratified", "folds", "type")
CALL = ("iterations", "num_boost_round", "early_stopping_rounds", "metric_period")
LEFT_OUT = {"class_names", "pool_metainfo_options", "classes_count"}  # which the data tells


def of_fit(model: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a fit was given, objects as they are: the model's params, and those of the call, which win."""
    return {**model.get_params(), **{name: arguments[name] for name in FIT if arguments.get(name) is not None}}


def readable(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return params as they are recorded: objectives, metrics and other objects by their names."""
    return {name: _readable(value) for name, value in params.items() if name != "callbacks"}


def of_cv(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a cross-validation was given."""
    defaults = defaults_of(catboost.cv)
    params = arguments.get("params")
    found = readable(params) if isinstance(params, Mapping) else {}
    found |= readable({name: arguments[name] for name in CALL if arguments.get(name) is not None})
    settings = readable({name: arguments[name] for name in CV if arguments.get(name) is not None})
    return {**found, "cv": marked(settings, defaults)}


def resolved(model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model has made of its params, but for those that were given by one of their names."""
    found = {name: value for name, value in model.get_all_params().items() if name not in LEFT_OUT}
    return {name: Captured(_short(value)) for name, value in found.items() if not given.keys() & {*names_of(name)}}


def _readable(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple | set):
        return list(map(_readable, value))
    return value if isinstance(value, Mapping) else named(value)


def _short(value: Any) -> Any:
    """Return a float as short as the 32 bits allow that catboost keeps of it."""
    return float(str(np.float32(value))) if isinstance(value, float) and np.float32(value) == value else value
