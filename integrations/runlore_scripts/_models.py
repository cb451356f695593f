"""Models in files of joblib and pickle, and the rule by which an object is one."""

import pickle
import sys
from collections.abc import Mapping
from typing import Any

from runlore.guest.files.watch import read, wrote
from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import argument

METHODS = (("predict",), ("fit", "transform"), ("state_dict",))  # a class of models has all of one of these
MAX_DEPTH = 3  # of dicts, lists and tuples around a model
MAX_ITEMS = 200  # that are looked at in each


def is_model(value: Any, depth: int = 0) -> bool:
    """Return True for a model, and for dicts, lists and tuples with one.

    Its class has a method `predict`, or `fit` and `transform`, or `state_dict`.
    """
    if isinstance(value, dict | list | tuple):
        items = list(value.values() if isinstance(value, dict) else value)[:MAX_ITEMS]
        return depth < MAX_DEPTH and any(is_model(item, depth + 1) for item in items)
    return any(all(callable(getattr(type(value), name, None)) for name in names) for names in METHODS)


def follow_joblib(wrappers: Wrappers) -> None:
    """Follow `joblib.dump` and `joblib.load`."""
    import joblib

    wrappers.follow(joblib, "dump", _dumped)
    wrappers.follow(joblib, "load", lambda args, kwargs, result: _loaded("joblib.load", args, kwargs, result))


def follow_pickle(wrappers: Wrappers) -> None:
    """Follow `pickle.dump` and `pickle.load`."""
    wrappers.follow(pickle, "dump", _dumped)
    wrappers.follow(pickle, "load", lambda args, kwargs, result: _loaded("pickle.load", args, kwargs, result))


def follow_pickles(wrappers: Wrappers, name: str) -> None:
    """Follow `dump` and `load` of a library that pickles more than pickle does; its `load` may be pickle's own."""
    module = sys.modules[name]
    wrappers.follow(module, "dump", _dumped)
    if module.load is not pickle.load:
        wrappers.follow(module, "load", lambda args, kwargs, result: _loaded(f"{name}.load", args, kwargs, result))


def follow_cloudpickle(wrappers: Wrappers) -> None:
    """Follow cloudpickle."""
    follow_pickles(wrappers, "cloudpickle")


def follow_dill(wrappers: Wrappers) -> None:
    """Follow dill."""
    follow_pickles(wrappers, "dill")


def _dumped(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
    if is_model(argument(args, kwargs, 0, "value", "obj")):
        wrote(argument(args, kwargs, 1, "filename", "file"), "model")


def _loaded(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
    if is_model(result):
        read(argument(args, kwargs, 0, "filename", "file"), name)
