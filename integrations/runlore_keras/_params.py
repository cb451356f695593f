"""Params: how a model, its layers and the callbacks were set, and the arguments of `fit`."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from runlore.guest.captured import PLAIN, Captured, defaults_of, marked
from runlore.guest.options import settings_of
from runlore_keras._framework import compiled_with

Part = Callable[[Any], dict[str, Any]]

FIT = (
    "epochs initial_epoch batch_size steps_per_epoch shuffle class_weight validation_split validation_steps "
    "validation_batch_size validation_freq"
).split()
PATHS = ("filepath", "backup_dir", "log_dir", "filename")  # the artifacts tell where; two runs never share them
MAX_LAYERS = 200  # that are listed one by one
SETTLED = {"activation": "linear"}  # what the default None of a layer becomes
LEFT_OUT = ("name", "trainable", "dtype", "registered_name", "build_config", "module")  # of a config


def fit(arguments: Mapping[str, Any], params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the arguments of `fit` but its data; in a user's own loop the `params` of its callbacks."""
    found = {name: arguments[name] for name in FIT if arguments.get(name) is not None}
    if found:
        return {"fit": marked(found, defaults_of(keras.Model.fit))}
    return {"fit": {name: value for name, value in (params or {}).items() if value is not None}}


def callbacks(found: Iterable[Any]) -> dict[str, Any]:
    """Return the settings of the callbacks that have any."""
    settings = settings_of(found, but=PATHS)
    return {"callbacks": settings} if settings else {}


def _compiled(model: Any) -> dict[str, Any]:
    """Return the arguments of `compile` as they were given: objects by class and settings, functions by name."""
    config = compiled_with(model) or {"loss": getattr(model, "loss", None)}
    named = {name: _named(value) for name, value in config.items() if name != "optimizer" and value is not None}
    defaults = {name: value for name, value in defaults_of(keras.Model.compile).items() if name != "jit_compile"}
    return {"compile": marked(named, defaults)}  # Keras decides on jit_compile by the backend


def _model(model: Any) -> dict[str, Any]:
    return {
        "model": Captured(
            {
                "class": type(model).__name__,
                "parameters": _size(model.weights),
                "trainable_parameters": _size(model.trainable_weights),
                **({"layers": len(model.layers)} if hasattr(model, "layers") else {}),
                "dtype": str(getattr(model, "dtype_policy", None) and model.dtype_policy.name),
                "backend": keras.backend.backend(),
            }
        )
    }


def _layers(model: Any) -> dict[str, Any]:
    """Return the first layers with their settings, by place."""
    layers = getattr(model, "layers", ())[:MAX_LAYERS]  # a Trainer may be no Model
    defaults = {cls: defaults_of(cls) for cls in {type(layer) for layer in layers}}
    return {"layers": {f"{place}": _layer(layer, defaults[type(layer)]) for place, layer in enumerate(layers)}}


def _layer(layer: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
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
    return {"class": Captured(type(layer).__name__), **marked(settings, {**defaults, **SETTLED})}


def short(value: Any) -> Any:
    """Return a serialized object by its class and settings, or by its class alone where it has none."""
    if isinstance(value, Mapping) and "class_name" in value:
        config = value.get("config")
        if not isinstance(config, Mapping):
            return config if isinstance(config, str) else value["class_name"]
        settings = {name: short(item) for name, item in config.items() if name not in LEFT_OUT and item is not None}
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
        told = short({"class_name": type(value).__name__, "config": value.get_config()})
        return {**marked(told, defaults_of(type(value))), "name": told["name"]} if isinstance(told, dict) else told
    return value if isinstance(value, PLAIN) else getattr(value, "__name__", type(value).__name__)


def _size(variables: Iterable[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


OF_BUILT = (_model, _layers)  # only a model that is built can be asked for these
PARTS: tuple[Part, ...] = (_compiled, *OF_BUILT)  # each is recorded for itself
