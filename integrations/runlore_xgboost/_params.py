"""Params: what a training was given, and what the booster made of it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xgboost

from runlore.guest.captured import Captured, defaults_of, marked, named
from runlore.guest.options import settings_of
from runlore_xgboost._calls import TrainCall

CALL = ("num_boost_round", "early_stopping_rounds", "maximize", "obj", "custom_metric")
CV = ("nfold", "stratified", "folds", "shuffle", "seed", "fpreproc")  # `seed` is a param of the booster, too
ALIASES = (  # that a booster's configuration tells by both names
    ("learning_rate", "eta"), ("min_split_loss", "gamma"), ("reg_lambda", "lambda"), ("reg_alpha", "alpha"),
    ("nthread", "n_jobs"), ("seed", "random_state"),
)  # fmt: skip
LEFT_OUT = {  # of a configuration: what data and training tell, and what only xgboost's developers set
    "num_feature", "num_trees", "num_target", "validate_parameters", "updater_seq", "fail_on_invalid_gpu_id",
    "seed_per_iteration", "debug_synchronize", "max_cached_hist_node", "boost_from_average",
    "disable_default_eval_metric", "process_type", "refresh_leaf",
}  # fmt: skip


def of_call(call: TrainCall) -> dict[str, Any]:
    """Return what a call was given: params under the names that the user gave them, functions by their names."""
    arguments = call.arguments
    function = xgboost.cv if call.is_cv else xgboost.train
    defaults = defaults_of(function)
    found = dict(_given(arguments.get("params"))) if call.fit is None else _of_estimator(call.estimator)
    if arguments.get("metrics"):
        found["eval_metric"] = arguments["metrics"]
    told = {name: _readable(arguments[name]) for name in CALL if arguments.get(name) is not None}
    if call.fit is not None:
        told = {name: Captured(value) for name, value in told.items() if name not in found}
    found |= told if call.fit is not None else marked(told, defaults)  # an estimator makes them of its own arguments
    if call.is_cv:
        settings = {name: _readable(arguments[name]) for name in CV if arguments.get(name) is not None}
        found["cv"] = marked(settings, defaults)
    return found


def of_callbacks(callbacks: Any) -> dict[str, Any]:
    """Return how the callbacks of a training were set, but for what only prints."""
    found = [item for item in callbacks if not isinstance(item, xgboost.callback.EvaluationMonitor)]
    settings = settings_of(found, but=("directory",))
    return {"callbacks": settings} if settings else {}


def resolved(booster: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a booster has made of its params, but for those that were given by one of their names."""
    learner = json.loads(booster.save_config())["learner"]
    found = dict(_leaves(learner))
    metrics = [item.get("name") for item in learner.get("metrics", ()) if isinstance(item, dict)]
    found |= {"eval_metric": metrics} if metrics else {}
    for name, alias in ALIASES:
        if alias in found:
            value = found.pop(alias)
            if alias not in given:
                found.setdefault(name, value)
            else:
                found.pop(name, None)
    if "obj" in given:  # the objective is a function of the user's
        found.pop("objective", None)
    return {name: Captured(value) for name, value in found.items() if name not in given}


def _given(params: Any) -> Iterator[tuple[str, Any]]:
    """Yield the params of a booster; in a list a name may come again."""
    if isinstance(params, Mapping):
        for name, value in params.items():
            yield str(name), _readable(value)
        return
    found: dict[str, list[Any]] = {}
    for name, value in params or ():
        found.setdefault(str(name), []).append(_readable(value))
    for name, values in found.items():
        yield name, values[0] if len(values) == 1 else values


def _of_estimator(estimator: Any) -> dict[str, Any]:
    """Return the arguments of an estimator; those that nobody passed are the booster's, unless they have a default."""
    params = {name: _readable(value) for name, value in estimator.get_params(deep=False).items() if name != "callbacks"}
    nothing = [name for name, value in params.items() if value is None or value != value]
    found = marked(params, defaults_of(type(estimator)), open_ended=True)
    return {name: value for name, value in found.items() if name not in nothing}


def _readable(value: Any) -> Any:
    """Return a value as it is recorded: functions and other objects by their names."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    return value if isinstance(value, Mapping) else named(value)


def _leaves(config: Any) -> Iterator[tuple[str, Any]]:
    """Yield the params in a configuration, which are the texts in the blocks whose names end in `_param`."""
    for key, inner in config.items() if isinstance(config, dict) else ():
        if key.endswith("_param") and isinstance(inner, dict):
            yield from ((name, _parsed(text)) for name, text in inner.items() if name not in LEFT_OUT)
        elif isinstance(inner, dict):
            yield from _leaves(inner)
        elif isinstance(inner, list):
            for item in inner:
                yield from _leaves(item)


def _parsed(text: Any) -> Any:
    """Return the number that a text of a configuration stands for, floats as short as their 32 bits allow.

    A list of numbers, as xgboost has one of each output, is one number where it has one.
    """
    if isinstance(text, str) and text.startswith("[") and text.endswith("]") and text[1:-1].strip():
        parts = [_parsed(part.strip()) for part in text[1:-1].split(",")]
        if all(isinstance(part, int | float) for part in parts):
            return parts[0] if len(parts) == 1 else parts
        return text
    try:
        return int(text)
    except (TypeError, ValueError):
        pass
    try:
        return float(str(np.float32(text)))
    except (TypeError, ValueError):
        return text
