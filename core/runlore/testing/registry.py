"""The frameworks that plugins name, and what recording them may leave behind in their modules."""

import sys
from collections.abc import Collection, Iterator, Mapping
from types import FunctionType
from typing import Any

from runlore.hookspecs import Integration
from runlore.plugins.manager import plugins

Found = dict[tuple[str, str], Any]


def registered(integration: str) -> list[Integration]:
    """Return what plugins name for autolog under this name."""

    def fail(plugin: str, error: Exception) -> None:
        raise AssertionError(f"plugin {plugin!r} names no integrations: {error}") from error

    results = plugins().results("runlore_register_integrations", fail)
    return [item for items in results for item in items if item.name == integration]


def attributes_of(modules: Collection[str]) -> Found:
    """Return the functions and the lists in the packages of these modules and in their classes, by owner and name."""
    packages = {name.partition(".")[0] for name in modules}
    found: Found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in packages and module is not None:
            content = dict(vars(module))
            found |= _telling(name, content)
            for key, value in content.items():
                if isinstance(value, type) and value.__module__ == name:
                    found |= _telling(f"{name}.{key}", vars(value))
    return found


def _telling(owner: str, content: Mapping[str, Any]) -> Found:
    functions = (FunctionType, classmethod, staticmethod, property)
    kept = {key: value for key, value in list(content.items()) if isinstance(value, (*functions, list))}
    return {(owner, key): list(value) if isinstance(value, list) else value for key, value in kept.items()}


def changed(before: Found, after: Found) -> set[str]:
    """Return the names of what is another object, or a list of others, than before; what is new does not count."""
    return {".".join(key) for key in before.keys() & after.keys() if not _is_same(before[key], after[key])}


def _is_same(before: Any, after: Any) -> bool:
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(a is b for a, b in zip(before, after, strict=True))
    return before is after


def sizes_of(trainer: Any) -> dict[str, int]:
    """Return the attributes of an object, each with the number of items in it, however deep."""
    own = getattr(trainer, "__dict__", {})
    return {name: sum(1 for _ in _items(value, 4)) for name, value in own.items()}


def _items(value: Any, depth: int) -> Iterator[Any]:
    inner = list(value.values()) if isinstance(value, dict) else value
    if depth and isinstance(inner, list | tuple | set | frozenset):
        for item in inner:
            yield item
            yield from _items(item, depth - 1)
