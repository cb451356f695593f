"""What a model, its optimizer, its layers and the arguments of `fit` tell of how they were set."""

import inspect
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from runlore.guest.options import PLAIN, settings_of
from runlore_keras._variables import as_written

Part = Callable[[Any], dict[str, Any]]

FIT = (
    "epochs initial_epoch batch_size steps_per_epoch shuffle class_weight validation_split validation_steps "
    "validation_batch_size validation_freq"
).split()
PLACES = ("filepath", "backup_dir", "log_dir", "filename")  # the artifacts tell where; two runs never share them
LAYERS = 200  # that are listed one by one
UNTOLD = ("name", "trainable", "dtype", "registered_name", "build_config", "module")


def fit(arguments: Mapping[str, Any], params: Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments of `fit` that are no data; of a loop of the user's what its callbacks were told."""
    found = {name: arguments[name] for name in FIT if name in arguments} or dict(params or {})
    return {"fit": {name: value for name, value in found.items() if value is not None}}


def _optimizer(model: Any) -> dict[str, Any]:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return {}
    config = {name: as_written(_short(value)) for name, value in optimizer.get_config().items() if value is not None}
    return {"optimizer": {**config, "name": type(optimizer).__name__}}


def _compiled(model: Any) -> dict[str, Any]:
    """The arguments of `compile` as they were given; objects by class and settings, functions by their names."""
    config = getattr(getattr(model, "_compile_config", None), "config", None) or {"loss": getattr(model, "loss", None)}
    told = {name: _named(value) for name, value in config.items() if name != "optimizer" and value is not None}
    return {"compile": told}


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
    """Each layer with those of its settings that are plain values, of a deep model the first ones."""
    return {"layers": {f"{place}": _layer(layer) for place, layer in enumerate(model.layers[:LAYERS])}}


def _layer(layer: Any) -> dict[str, Any]:
    """The arguments of its class that a layer keeps under the same name, functions by theirs. It is asked nothing."""
    told = {}
    held = getattr(layer, "__dict__", {})
    for name in inspect.signature(type(layer).__init__).parameters:
        value = held.get(name)
        value = getattr(value, "__name__", value) if callable(value) else value
        if name not in UNTOLD and value is not None and isinstance(value, PLAIN):
            told[name] = value
    return {"class": type(layer).__name__, **told}


def callbacks(found: Iterable[Any]) -> dict[str, Any]:
    """The settings of the callbacks, of those that have any."""
    told = settings_of(found, but=PLACES)
    return {"callbacks": told} if told else {}


def _short(value: Any) -> Any:
    """A serialized object by its class and settings; where it has none, by its class alone."""
    if isinstance(value, Mapping) and "class_name" in value:
        config = value.get("config")
        if not isinstance(config, Mapping):
            return config if isinstance(config, str) else value["class_name"]
        told = {name: _short(item) for name, item in config.items() if name not in UNTOLD and item is not None}
        return {"name": value["class_name"], **told} if told else value["class_name"]
    if isinstance(value, list | tuple):
        return [item["class_name"] if isinstance(item, Mapping) and "class_name" in item else item for item in value]
    return value


def _named(value: Any) -> Any:
    """An argument of `compile`: what is Keras's own is asked for its settings, what is the user's only for its name."""
    if isinstance(value, Mapping):
        return {str(name): _named(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [item if isinstance(item, str) else type(item).__name__ for item in value]
    if type(value).__module__.partition(".")[0] == "keras" and hasattr(value, "get_config"):
        return _short({"class_name": type(value).__name__, "config": value.get_config()})
    return value if isinstance(value, PLAIN) else getattr(value, "__name__", type(value).__name__)


def _size(variables: Iterable[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def leads() -> bool | None:
    """Whether this process leads, where the backend knows better than the launchers' variables."""
    jax = sys.modules.get("jax") if keras.backend.backend() == "jax" else None
    return None if jax is None or jax.process_count() < 2 else bool(jax.process_index() == 0)


SHAPES = (_model, _layers)  # what a model tells only once it is built
PARTS: tuple[Part, ...] = (_optimizer, _compiled, *SHAPES)  # each is recorded for itself
