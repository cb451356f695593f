"""Params: what a training was given, and what the booster made of it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import lightgbm
import numpy as np

from runlore.guest.captured import Captured, defaults_of, marked, named
from runlore.guest.options import settings_of
from runlore_lightgbm._calls import TrainCall
from runlore_lightgbm._framework import names_of

CALL = ("num_boost_round", "feval")
CV = ("nfold", "stratified", "folds", "shuffle", "seed", "fpreproc", "eval_train_metric")
LINE = re.compile(r"^\[(\w+): (.*)\]$", re.M)
LEFT_OUT = {  # of a configuration: places of files and machines, and what only its files and its tests are about
    "data", "valid", "machines", "machine_list_filename", "num_machines", "local_listen_port", "time_out", "header",
    "two_round", "precise_float_parser", "saved_feature_importance_type", "num_iterations", "early_stopping_round",
    "gpu_platform_id", "gpu_device_id", "gpu_use_dp", "num_gpu", "verbosity", "pre_partition", "histogram_pool_size",
}  # fmt: skip


def of_call(call: TrainCall) -> dict[str, Any]:
    """Return what a call was given: params under the names that the user gave them, functions by their names."""
    arguments = call.arguments
    defaults = defaults_of(lightgbm.cv if call.is_cv else lightgbm.train)
    if call.fit is not None:
        return _of_estimator(call.estimator, call.fit)
    params = arguments.get("params")
    found = {str(name): _readable(value) for name, value in (params if isinstance(params, Mapping) else {}).items()}
    if arguments.get("metrics"):
        found["metric"] = arguments["metrics"]
    found |= marked({name: _readable(arguments[name]) for name in CALL if arguments.get(name) is not None}, defaults)
    if call.is_cv:
        settings = {name: _readable(arguments[name]) for name in CV if arguments.get(name) is not None}
        found["cv"] = marked(settings, defaults)
    return found


def of_metrics(eval_metric: Any) -> dict[str, Any]:
    """Return the metrics that the fit of an estimator was given; lightgbm makes an empty list of none."""
    return {"eval_metric": _readable(eval_metric)} if callable(eval_metric) or eval_metric else {}


def of_callbacks(callbacks: Any) -> dict[str, Any]:
    """Return how the callbacks of a training were set, but for what only prints or keeps numbers."""
    found = [item for item in callbacks or () if hasattr(item, "stopping_rounds")]
    settings = {name.strip("_").removesuffix("Callback"): value for name, value in settings_of(found).items()}
    return {"callbacks": settings} if settings else {}


def resolved(booster: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a booster has made of its params, but for those that were given by one of their names."""
    _, _, text = booster.model_to_string(num_iteration=1).partition("\nparameters:")
    found = {name: _parsed(value) for name, value in LINE.findall(text) if value and name not in LEFT_OUT}
    return {name: Captured(value) for name, value in found.items() if not names_of(name) & given.keys()}


def early_stopping(params: Any) -> int | None:
    """Return after how many iterations without a better score a training stops by its params; None for all others."""
    known = params if isinstance(params, Mapping) else {}
    found = [known[name] for name in names_of("early_stopping_round") if known.get(name)]
    return found[0] if found and isinstance(found[0], int) else None


def _of_estimator(estimator: Any, fit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an estimator; those that nobody passed are the booster's, unless they have a default."""
    params = {name: _readable(value) for name, value in estimator.get_params(deep=False).items()}
    defaults = {**defaults_of(lightgbm.LGBMModel), **defaults_of(type(estimator))}
    found = marked(params, defaults, open_ended=True)
    found |= of_metrics(fit.get("eval_metric"))
    chosen = fit.get("categorical_feature")
    found |= {"categorical_feature": _readable(chosen)} if isinstance(chosen, list | tuple) else {}
    return {name: value for name, value in found.items() if params.get(name, "") is not None}


def _readable(value: Any) -> Any:
    """Return a value as it is recorded: functions and other objects by their names."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple | set):
        return list(map(_readable, value))
    return value if isinstance(value, Mapping) else named(value)


def _parsed(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def set_anew(params: Mapping[str, Any], callbacks: Iterable[Any]) -> dict[str, float]:
    """Return the numbers among the params that `reset_parameter` sets for each iteration, as they are now."""
    names = [name for item in callbacks for name in getattr(item, "kwargs", None) or () if name in params]
    return {name: params[name] for name in names if isinstance(params[name], int | float)}
