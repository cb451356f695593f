"""Read the parameters of an estimator one by one: one that can't be read costs no other."""

import re
from typing import Any

import sklearn

from runlore.guest.captured import Captured, defaults_of, is_default

ADDRESS = re.compile(" at 0x[0-9a-fA-F]+")  # in memory, which differs between equal fits


def estimator_params(estimator: Any) -> dict[str, Any]:
    """Return the parameters by scikit-learn's own names; those that are estimators by class, defaults as captured."""
    params: dict[str, Any] = {"sklearn_version": Captured(sklearn.__version__)}
    try:
        found = estimator.get_params(deep=True)
    except Exception:  # a value that raises when it is asked for parts of its own
        found = estimator.get_params(deep=False)
    defaults: dict[type, dict[str, Any]] = {}
    for name, value in found.items():
        owner, _, argument = name.rpartition("__")
        cls = type(found.get(owner) if owner else estimator)
        if cls not in defaults:
            defaults[cls] = defaults_of(cls)
        is_captured = is_default(value, defaults[cls].get(argument))  # a step of a pipeline is no argument, but passed
        params[name] = Captured(readable(value)) if is_captured else readable(value)
    return params


def readable(value: Any) -> Any:
    """Return a parameter's value as it is recorded: an estimator by class, the steps of a pipeline by name."""
    try:
        if isinstance(value, dict):
            text = str(_told(value))  # a grid, say: one value, not to be taken apart into params of its own
            return ADDRESS.sub("", text) if " at 0x" in text else text
        if _is_estimator(value):
            return type(value).__name__
        if isinstance(value, list) and value and all(map(_is_step, value)):
            return [step[0] for step in value]  # the steps of a pipeline, whose parts follow by name
    except Exception as error:  # a foreign object may raise at any touch
        return f"of class {type(value).__name__}, and can't be read: {type(error).__name__}"
    return value


class _Said(str):
    """Stands for an object in the text of another one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _told(value: Any) -> Any:
    """Return a grid in which distributions of scipy, which have no text of their own, say what they are."""
    if isinstance(value, dict):
        return {key: _told(item) for key, item in value.items()}
    law = getattr(value, "dist", None)
    if not hasattr(value, "rvs") or not isinstance(name := getattr(law, "name", None), str):
        return value
    given = [repr(item) for item in value.args] + [f"{key}={item!r}" for key, item in value.kwds.items()]
    return _Said(f"{name}({', '.join(given)})")


def _is_estimator(value: Any) -> bool:
    return hasattr(type(value), "get_params") and not isinstance(value, type)


def _is_step(item: Any) -> bool:
    """Return True for a step of a pipeline or a member of an ensemble: a name and an estimator."""
    if not isinstance(item, tuple) or len(item) < 2 or not isinstance(item[0], str):
        return False
    return _is_estimator(item[1]) or item[1] in ("passthrough", "drop", None)
