"""Keras itself: name, tested versions, and what can be had by its private names only."""

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

NAME = "keras"
TESTED = ("3.15",)


def check_version() -> None:
    """Warn of a version that runlore is not tested with."""
    import keras

    from runlore.guest import wrapping

    wrapping.check_version("Keras", keras.__version__, TESTED)


def leads() -> bool | None:
    """Return True in the process that records; None where the launchers' variables have to tell."""
    import keras

    jax = sys.modules.get("jax") if keras.backend.backend() == "jax" else None
    return None if jax is None or jax.process_count() < 2 else bool(jax.process_index() == 0)


def saving_modules() -> tuple[ModuleType, ModuleType]:
    """Return the modules whose functions write and read model files: of today's formats, and of HDF5.

    Raises:
        ImportError: Keras has changed inside.
    """
    from keras.src.legacy.saving import legacy_h5_format
    from keras.src.saving import saving_lib

    return saving_lib, legacy_h5_format


def compiled_with(model: Any) -> Mapping[str, Any] | None:
    """Return the arguments that `compile` was given, which no public attribute tells."""
    config: Mapping[str, Any] | None = getattr(getattr(model, "_compile_config", None), "config", None)
    return config


def has_own_step(model: Any) -> bool:
    """Return True if the class of a model overrides how Keras trains a batch."""
    step = getattr(type(model), "train_step", None)
    return getattr(step, "__module__", "").partition(".")[0] != "keras"


def call_under_way(model: Any) -> tuple[Any, tuple[Any, ...], Mapping[str, Any]] | None:
    """Return the frame and the arguments of a call of `fit` that began before Keras was wrapped; None where none did.

    Every `fit` of Keras is called by the `error_handler` that shortens its tracebacks.
    """
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "error_handler" and code.co_filename.endswith("traceback_utils.py"):
            found = frame.f_locals
            if getattr(found.get("fn"), "__name__", "") == "fit" and found["args"][:1] == (model,):
                return frame, found["args"], found["kwargs"]
        frame = frame.f_back  # type: ignore[assignment]
    return None


def tracebacks() -> ModuleType:
    """Return the module whose `_process_traceback_frames` is called while an exception leaves a function of Keras.

    Raises:
        ImportError: Keras has changed inside.
    """
    from keras.src.utils import traceback_utils

    module: ModuleType = traceback_utils
    return module


def schedule_of(optimizer: Any) -> Any:
    """Return the learning rate as it was set; the public `learning_rate` would call a schedule."""
    return getattr(optimizer, "_learning_rate", None)
