"""Params: how a model, its optimizer, its layers and the callbacks were set, and the arguments of `fit`."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np

from runlore.guest.options import PLAIN, settings_of
from runlore_keras._framework import compiled_with

Part = Callable[[Any], dict[str, Any]]

FIT = (
    "epochs initial_epoch batch_size steps_per_epoch shuffle class_weight validation_split validation_steps "
    "validation_batch_size validation_freq"
).split()
PATHS = ("filepath", "backup_dir", "log_dir", "filename")  # the artifacts tell where; two runs never share them
MAX_LAYERS = 200  # that are listed one by one
LEFT_OUT = ("name", "trainable", "dtype", "registered_name", "build_config", "module")  # of a config


def fit(arguments: Mapping[str, Any], params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the arguments of `fit` but its data; in a user's own loop the `params` of its callbacks."""
    found = {name: arguments[name] for name in FIT if name in arguments} or dict(params or {})
    return {"fit": {name: value for name, value in found.items() if value is not None}}


def callbacks(found: Iterable[Any]) -> dict[str, Any]:
    """Return the settings of the callbacks that have any."""
    settings = settings_of(found, but=PATHS)
    return {"callbacks": settings} if settings else {}


def _optimizer(model: Any) -> dict[str, Any]:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return {}
    config = {name: _as_written(_short(value)) for name, value in optimizer.get_config().items() if value is not None}
    return {"optimizer": {**config, "name": type(optimizer).__name__}}


def _compiled(model: Any) -> dict[str, Any]:
    """Return the arguments of `compile` as they were given: objects by class and settings, functions by name."""
    config = compiled_with(model) or {"loss": getattr(model, "loss", None)}
    named = {name: _named(value) for name, value in config.items() if name != "optimizer" and value is not None}
    return {"compile": named}


def _model(model: Any) -> dict[str, Any]:
    return {
        "model": {
            "class": type(model).__name__,
            "parameters": _size(model.weights),
            "trainable_parameters": _size(model.trainable_weights),
            "layers": len(model.layers),
            "dtype": str(getattr(model, "dtype_policy", None) and model.dtype_policy.name),
            "backend": keras.backend.backend(),
        }
    }


def _layers(model: Any) -> dict[str, Any]:
    """Return the first layers with their settings, by place."""
    return {"layers": {f"{place}": _layer(layer) for place, layer in enumerate(model.layers[:MAX_LAYERS])}}


def _layer(layer: Any) -> dict[str, Any]:
    """Return the arguments of its class that a layer keeps under the same name, functions by theirs.

    Only plain values are read; no method of the layer is called.
    """
    settings = {}
    held = getattr(layer, "__dict__", {})
    for name in inspect.signature(type(layer).__init__).parameters:
        value = held.get(name)
        value = getattr(value, "__name__", value) if callable(value) else value
        if name not in LEFT_OUT and value is not None and isinstance(value, PLAIN):
            settings[name] = value
    return {"class": type(layer).__name__, **settings}


def _short(value: Any) -> Any:
    """Return a serialized object by its class and settings, or by its class alone where it has none."""
    if isinstance(value, Mapping) and "class_name" in value:
        config = value.get("config")
        if not isinstance(config, Mapping):
            return config if isinstance(config, str) else value["class_name"]
        settings = {name: _short(item) for name, item in config.items() if name not in LEFT_OUT and item is not None}
        return {"name": value["class_name"], **settings} if settings else value["class_name"]
    if isinstance(value, list | tuple):
        return [item["class_name"] if isinstance(item, Mapping) and "class_name" in item else item for item in value]
    return value


def _named(value: Any) -> Any:
    """Return an argument of `compile`: objects of Keras with their settings, the user's own by name only."""
    if isinstance(value, Mapping):
        return {str(name): _named(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [item if isinstance(item, str) else type(item).__name__ for item in value]
    if type(value).__module__.partition(".")[0] == "keras" and hasattr(value, "get_config"):
        return _short({"class_name": type(value).__name__, "config": value.get_config()})
    return value if isinstance(value, PLAIN) else getattr(value, "__name__", type(value).__name__)


def _as_written(value: Any) -> Any:
    """Return a float that a backend holds in 32 bits as it was written: 0.001, not 0.0010000000474974513."""
    if not isinstance(value, float) or float(np.float32(value)) != value:
        return value
    return float(str(np.float32(value)))


def _size(variables: Iterable[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


OF_BUILT = (_model, _layers)  # only a model that is built can be asked for these
PARTS: tuple[Part, ...] = (_optimizer, _compiled, *OF_BUILT)  # each is recorded for itself
