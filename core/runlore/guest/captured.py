"""Tell params that somebody passed from those that are only captured: defaults of a framework, and what follows."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType
from typing import Any

PLAIN = (bool, int, float, str, type(None))
MAX_DEPTH = 5  # of dicts in which marks are looked for
OPEN_ENDED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Captured:
    """Marks a param, or a mapping of params, that nobody passed. A value without a mark counts as passed."""

    value: Any


def named(value: Any) -> Any:
    """Return a function or an object of a user's, such as a loss, by its name; plain values as they are."""
    if isinstance(value, PLAIN):
        return value
    inner = getattr(value, "func", value)  # of a partial
    return getattr(inner, "__qualname__", None) or type(inner).__qualname__


def told_apart(params: Mapping[str, Any], depth: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the params that somebody passed and the captured ones, both without marks.

    Marks are looked for in dicts within dicts; other mappings are users' own.
    """
    passed: dict[str, Any] = {}
    captured: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, Captured):
            captured[name] = value.value
        elif type(value) is dict and value and depth < MAX_DEPTH:
            parts = told_apart(value, depth + 1)
            passed |= {name: parts[0]} if parts[0] else {}
            captured |= {name: parts[1]} if parts[1] else {}
        else:
            passed[name] = value
    return passed, captured


def marked(values: Mapping[str, Any], defaults: Mapping[str, Any], *, open_ended: bool = False) -> dict[str, Any]:
    """Return values by name, those marked that equal their default, and those that are no argument.

    Where a call is `open_ended` and takes any name, those that are no argument of it were passed. An argument that was
    passed with the value of its default can't be told from one that was not passed.
    """
    found = {}
    for name, value in values.items():
        is_passed = not is_default(value, defaults[name]) if name in defaults else open_ended
        found[name] = value if is_passed else Captured(value)
    return found


def defaults_of(made_by: Callable[..., Any]) -> dict[str, Any]:
    """Return the arguments of a function or a class with their defaults; `inspect.Parameter.empty` where there is none.

    Those of a base class count where the class hands on what it does not know itself.
    """
    found: dict[str, Any] = {}
    functions = [vars(cls).get("__init__") for cls in made_by.__mro__] if isinstance(made_by, type) else [made_by]
    for function in functions:
        if function is None:
            continue
        try:
            known = type(function) is FunctionType
            arguments = _parameters_of(function) if known else inspect.signature(function).parameters
        except (TypeError, ValueError):  # written in C
            break
        for name, argument in arguments.items():
            if argument.kind not in OPEN_ENDED:
                found.setdefault(name, argument.default)
        if not any(argument.kind is inspect.Parameter.VAR_KEYWORD for argument in arguments.values()):
            break
    return found


@lru_cache(maxsize=256)  # each fit asks for those of its class
def _parameters_of(function: FunctionType) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def is_default(value: Any, default: Any) -> bool:
    """Return True if a value is the default, or a plain one that equals it; no object of a user's is compared."""
    if value is default:
        return True
    if isinstance(value, PLAIN) and isinstance(default, PLAIN):
        return bool(value == default) or (value != value and default != default)  # NaN
    if isinstance(value, list | tuple) and isinstance(default, list | tuple) and len(value) == len(default):
        return all(map(is_default, value, default))
    return type(value) is dict and type(default) is dict and not value and not default
