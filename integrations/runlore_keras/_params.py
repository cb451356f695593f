"""What a model, its optimizer, its layers and the arguments of `fit` tell of how they were set."""

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from runlore.options import PLAIN, settings_of
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


def _loss(model: Any) -> dict[str, Any]:
    """As it was written, and a function by its name: Keras can't tell of every one that is the user's own."""
    loss = getattr(model, "loss", None)
    return {} if loss is None else {"compile": {"loss": _named(loss)}}


def _compiled(model: Any) -> dict[str, Any]:
    """Metrics and the rest of `compile`; objects by class and settings."""
    config = dict(model.get_compile_config() or {})
    told = {name: value for name, value in config.items() if name not in ("optimizer", "loss")}
    return {"compile": {name: _short(value) for name, value in told.items() if value is not None}}


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
    """Each layer with those of its settings that are plain values."""
    if len(model.layers) > LAYERS:
        return {}
    return {"layers": {f"{place}": _layer(layer) for place, layer in enumerate(model.layers)}}


def _layer(layer: Any) -> dict[str, Any]:
    own = type(layer).__module__.partition(".")[0] != "keras"  # what its get_config needs and does, nobody knows
    config = {} if own else layer.get_config()
    told = {name: value for name, value in config.items() if name not in UNTOLD and isinstance(value, PLAIN)}
    return {"class": type(layer).__name__, **{name: value for name, value in told.items() if value is not None}}


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


def _named(loss: Any) -> Any:
    if isinstance(loss, Mapping):
        return {str(name): _named(item) for name, item in loss.items()}
    if isinstance(loss, list | tuple):
        return [_named(item) for item in loss]
    if hasattr(loss, "get_config"):
        return _short({"class_name": type(loss).__name__, "config": loss.get_config()})
    return getattr(loss, "__name__", loss)


def _size(variables: Iterable[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def leads() -> bool | None:
    """Whether this process leads, where the backend knows better than the launchers' variables."""
    jax = sys.modules.get("jax") if keras.backend.backend() == "jax" else None
    return None if jax is None or jax.process_count() < 2 else bool(jax.process_index() == 0)


SHAPES = (_model, _layers)  # what a model tells only once it is built
PARTS: tuple[Part, ...] = (_optimizer, _loss, _compiled, *SHAPES)  # each is recorded for itself
