"""Values as JSON can hold them: numbers and texts as they are, everything else described by type and text."""

import dataclasses
import hashlib
import json
import math
import operator
import os
import re
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from runlore.log.points import plain_float

MAX_STEP = (1 << 63) - 1
MAX_VECTOR = 64  # numbers of a metric that get a key each
MAX_TEXT = 64 << 10  # characters of a value; a longer one is cut, and its hash kept

_CUT_TEXT = 1 << 10  # characters that a cut value keeps
_MAX_KEY = 1024  # characters
_MAX_INT_BITS = 1024  # of a whole number that is kept as one
_MAX_DEPTH = 8  # of nested mappings and lists
_MAX_REPR = 80  # characters of a foreign object in a message
_MAX_HASHED_BYTES = 1 << 30  # of an array
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+|\b0x[0-9a-fA-F]{8,}")
_NAMESPACES = {"argparse.Namespace", "types.SimpleNamespace"}
_SPOKEN = {  # classes whose str is what people write, of the standard library; subclasses, too
    f"{module}.{name}"
    for module, names in {
        "decimal": ("Decimal",), "fractions": ("Fraction",), "uuid": ("UUID",),
        "datetime": ("datetime", "date", "time", "timedelta"),
    }.items()
    for name in names
}  # fmt: skip

LISTS = ("list", "tuple", "set", "frozenset")  # types that are stored as the text of a JSON list
Plain = None | bool | int | float | str | dict[str, Any]


class _Attributes(Mapping[str, Any]):
    """The attributes of an object by their names, each read when it is asked for."""

    def __init__(self, owner: Any, names: list[str]) -> None:
        self._owner = owner
        self._names = names

    def __getitem__(self, name: str) -> Any:
        return getattr(self._owner, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def mapping_of(value: object) -> Mapping[Any, Any] | None:
    """Return a mapping, a Namespace or an object with declared fields (dataclass, pydantic, attrs) as a mapping.

    None for anything else.
    """
    if isinstance(value, Mapping):
        return value
    kind = type(value)
    if isinstance(value, type):
        return None
    if _is_one_of(kind, _NAMESPACES):
        return _Attributes(value, list(vars(value)))
    if dataclasses.is_dataclass(value):
        return _Attributes(value, [item.name for item in dataclasses.fields(value)])
    fields = getattr(kind, "__pydantic_fields__", None) or getattr(kind, "__fields__", None)
    if isinstance(fields, dict):
        return _Attributes(value, list(fields))
    fields = getattr(kind, "__attrs_attrs__", None)
    if isinstance(fields, tuple):
        return _Attributes(value, [str(item.name) for item in fields])
    return None


def flatten(params: object) -> dict[str, Plain]:
    """Return params with dotted keys and values that JSON can hold; one that can't be read costs no other.

    Raises:
        TypeError: they are nothing that `mapping_of` knows.
    """
    found = mapping_of(params)
    if found is None:
        raise TypeError(f"{short_repr(params)} is no mapping: write one, such as {{'key': 'value'}}")
    flat: dict[str, Plain] = {}
    _flatten_into(flat, "", found, 0)
    return flat


def unreadable(values: Mapping[str, Plain]) -> dict[str, str]:
    """Return the keys of values that could not be read, each with the reason."""
    return {key: str(value["error"]) for key, value in values.items() if isinstance(value, dict) and "error" in value}


def facts_of(description: Any) -> dict[str, Plain]:
    """Return the facts of a dataset's description (`runlore.hookspecs.DataDescription`) as the log holds them."""
    facts = {
        "kind": description.kind,
        "rows": description.shape[0] if description.shape else None,
        "shape": list(description.shape),
        "dtypes": description.dtypes if isinstance(description.dtypes, str) else list(description.dtypes),
        "columns": None if description.columns is None else list(description.columns),
        "missing": description.missing,
        "size_bytes": description.size_bytes,
        "fingerprint": description.fingerprint,
        "sampled": description.sampled,
        **description.more,
    }
    return {key: describe(value) for key, value in facts.items() if value is not None}


def describe(value: Any) -> Plain:
    """Return a value as JSON can hold it: described by type and text (`{"$type": …, "text": …}`) unless it is plain."""
    try:
        return _describe(value)
    except Exception as error:  # a foreign object's repr, len or item: it is described, never raised into training
        return _unread(value, error)


def text_of(value: Plain) -> str:
    """Return a stored value as people read it."""
    if isinstance(value, dict):
        if "$float" in value:
            return str(value["$float"])
        text = str(value.get("text") or value.get("error") or "")
        return text or f"<{value.get('$type', 'unknown')}>"
    return str(value)


def is_number(value: Plain) -> bool:
    """Return True if a stored value is a number, also one that JSON can't spell; a flag is none."""
    return (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, dict) and "$float" in value
    )


def is_list(value: Plain) -> bool:
    """Return True if a stored value is a list of plain values, with nothing of it cut."""
    if not isinstance(value, dict) or value.get("$type") not in LISTS or "sha256" in value:
        return False
    try:
        return isinstance(json.loads(str(value.get("text"))), list)
    except (ValueError, RecursionError):  # the text of a list that holds other objects
        return False


def plain_value(value: Plain) -> Any:
    """Return a stored value as the Python API gives it: floats that JSON can't spell come back as themselves."""
    if isinstance(value, dict) and "$float" in value:
        return float(value["$float"])
    return value


def listed_value(value: Plain) -> Any:
    """Return a stored value with lists as lists, and other objects as their text."""
    if is_list(value):
        return json.loads(text_of(value))
    return plain_value(value) if not isinstance(value, dict) or "$float" in value else text_of(value)


def json_value(value: Plain) -> Any:
    """Return a stored value as `--json` prints it."""
    if isinstance(value, dict):
        return str(value["$float"]) if "$float" in value else text_of(value)
    return value


def _flatten_into(flat: dict[str, Plain], prefix: str, params: Mapping[Any, Any], depth: int) -> None:
    try:
        names = list(params)
    except Exception as error:  # a foreign mapping
        flat[prefix.removesuffix(".") or "params"] = _unread(params, error)
        return
    for name in names:
        key = f"{prefix}{_key(name)}"
        try:
            value = params[name]
            nested = mapping_of(value) if depth < _MAX_DEPTH else None
            filled = nested is not None and len(nested) > 0
        except Exception as error:  # likewise; or an attribute that is computed
            flat[key] = _unread(None, error)
            continue
        if nested is not None and filled:
            _flatten_into(flat, f"{key}.", nested, depth + 1)
        else:
            flat[key] = describe(value)


def _unread(value: Any, error: Exception) -> Plain:
    return {"$type": _type_name(value), "text": "", "error": f"{type(error).__name__} while it was read"}


def _key(name: Any) -> str:
    try:
        return str(name)[:_MAX_KEY]
    except Exception:  # a foreign object's str
        return f"<{type(name).__name__}>"


def _describe(value: Any) -> Plain:
    if value is None or isinstance(value, bool):
        return value
    if type(value) is int:
        return value if value.bit_length() <= _MAX_INT_BITS else _cut("int", hex(value))
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": plain_float(value)}
    if type(value) is str:
        return value if len(value) <= MAX_TEXT else _cut("str", value)
    if isinstance(value, int | float):  # enums, numpy's float64 and the like
        return _describe(int(value) if isinstance(value, int) else float(value))
    if isinstance(value, str):
        return _describe(str.__str__(value))
    if isinstance(value, list | tuple) and _is_plain(value, 0):
        text = json.dumps(value, ensure_ascii=False)
        return {"$type": type(value).__name__, "text": text} if len(text) <= MAX_TEXT else _cut("list", text)
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return {"$type": type(value).__name__, "text": f"{value.__module__}.{value.__qualname__}"}
    if isinstance(value, set | frozenset):
        return _fitting(type(value).__name__, _set_text(value))
    if isinstance(value, os.PathLike):
        return _fitting(_type_name(value), str(os.fspath(value)))
    if isinstance(value, Enum):
        return _fitting(_type_name(value), str(value.name))
    if _is_one_of(type(value), _SPOKEN):
        return _fitting(_type_name(value), str(value))
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        item = value.item()
        if isinstance(item, bool | int | float | str):
            return _describe(item)
    text = _without_addresses(repr(value)).replace(str(id(value)), "…")
    digest = _array_hash(value) if getattr(value, "ndim", None) and hasattr(value, "shape") else None
    return _fitting(_type_name(value), text if digest is None else f"{text} sha256:{digest[:16]}")


def _fitting(kind: str, text: str) -> Plain:
    return {"$type": kind, "text": text} if len(text) <= MAX_TEXT else _cut(kind, text)


def _is_one_of(kind: type, names: set[str]) -> bool:
    return any(f"{base.__module__}.{base.__qualname__}" in names for base in kind.__mro__)


def _without_addresses(text: str) -> str:
    return _ADDRESS.sub("", text) if "0x" in text else text


def _set_text(value: "set[Any] | frozenset[Any]") -> str:
    """Return the elements in an order that depends on nothing but them."""
    if all(_is_plain(item, 0) for item in value):
        return "[" + ", ".join(sorted(json.dumps(item, ensure_ascii=False) for item in value)) + "]"
    return "{" + ", ".join(sorted(_without_addresses(repr(item)) for item in value)) + "}"


def _array_hash(value: Any) -> str | None:
    """Return the sha256 of an array's type, shape and content, which its repr elides; None where it can't be had."""
    numpy = sys.modules.get("numpy")
    if numpy is None or getattr(value, "nbytes", 0) > _MAX_HASHED_BYTES:
        return None
    try:
        value = value.detach().cpu() if hasattr(value, "detach") else value
        kind = str(getattr(value, "dtype", ""))
        value = value.float() if "bfloat" in kind and hasattr(value, "float") else value
        array = numpy.ascontiguousarray(value)
        content = repr(array.tolist()).encode() if array.dtype.hasobject else memoryview(array.reshape(-1).view("u1"))
    except Exception:  # a foreign object that is no array after all
        return None
    found = hashlib.sha256(f"{kind} {array.dtype} {array.shape} ".encode())
    found.update(content)
    return found.hexdigest()


def _is_plain(value: Any, depth: int) -> bool:
    if isinstance(value, list | tuple):
        return depth < _MAX_DEPTH and len(value) <= MAX_TEXT and all(_is_plain(item, depth + 1) for item in value)
    return value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def _cut(kind: str, text: str) -> Plain:
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
    return {"$type": kind, "text": text[:_CUT_TEXT] + "…", "sha256": digest, "length": len(text)}


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def as_step(step: Any) -> int | None:
    """Return a step as a number of 64 bits; None for anything that is no whole number of that size."""
    try:
        number = int(step) if isinstance(step, float) and step.is_integer() else operator.index(step)
    except TypeError:
        return None
    return number if -MAX_STEP - 1 <= number <= MAX_STEP else None


def as_number(value: Any) -> float | None:
    """Return the float of anything that is one number: Python's, numpy's, a tensor with one element; else None."""
    try:
        if isinstance(value, int | float):
            return float(value)
        if isinstance(value, str | bytes | complex):
            return None
        item = getattr(value, "item", None)
        if item is not None:  # float() of a tensor that requires grad would warn
            value = item()
            return float(value) if isinstance(value, int | float) else None
        return float(value)
    except Exception:  # whatever a foreign object's conversion raises, it is not a number
        return None


def spread(name: Any, value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield the numbers of a metric by their keys: a nested mapping gets dotted keys, a short vector numbered ones."""
    if isinstance(value, Mapping) and depth < _MAX_DEPTH:
        for key, item in value.items():
            yield from spread(f"{name}.{_key(key)}", item, depth + 1)
        return
    items = value if isinstance(value, list | tuple) else None
    if getattr(value, "ndim", 0) == 1 and 1 < len(value) <= MAX_VECTOR:
        items = value.tolist()
    if items is None or not 0 < len(items) <= MAX_VECTOR:
        yield name, value
        return
    for place, item in enumerate(items):
        yield f"{name}.{place}", item


def short_repr(value: Any) -> str:
    """Return the repr of a foreign object, at most 80 characters of it; never raises."""
    try:
        text = repr(value)
    except Exception as error:  # a foreign object's repr
        text = f"a {type(value).__name__} whose repr raises {type(error).__name__}"
    return text if len(text) <= _MAX_REPR else text[: _MAX_REPR - 3] + "..."
