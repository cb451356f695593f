"""Values as JSON can hold them: numbers and texts as they are, everything else described by type and text."""

import hashlib
import json
import math
import operator
import re
from collections.abc import Mapping
from typing import Any

from runlore.log.points import plain_float

MAX_STEP = (1 << 63) - 1
MAX_TEXT = 64 << 10  # characters of a value; a longer one is cut, and its hash kept

_CUT_TEXT = 1 << 10  # characters that a cut value keeps
_MAX_KEY = 1024  # characters
_MAX_INT_BITS = 1024  # of a whole number that is kept as one
_MAX_DEPTH = 8  # of nested mappings and lists
_MAX_REPR = 80  # characters of a foreign object in a message
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

Plain = None | bool | int | float | str | dict[str, Any]


def flatten(params: Mapping[Any, Any]) -> dict[str, Plain]:
    """Return params with dotted keys and values that JSON can hold; one that can't be read costs no other."""
    flat: dict[str, Plain] = {}
    _flatten_into(flat, "", params, 0)
    return flat


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
        return {"$type": _type_name(value), "text": "", "error": f"{type(error).__name__} while it was read"}


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
    if not isinstance(value, dict) or value.get("$type") not in ("list", "tuple") or "sha256" in value:
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
    for name, value in params.items():
        key = f"{prefix}{_key(name)}"
        if isinstance(value, Mapping) and value and depth < _MAX_DEPTH:
            try:
                _flatten_into(flat, f"{key}.", value, depth + 1)
            except Exception as error:  # a foreign mapping
                flat[key] = {"$type": _type_name(value), "text": "", "error": type(error).__name__}
        else:
            flat[key] = describe(value)


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
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        item = value.item()
        if isinstance(item, bool | int | float | str):
            return _describe(item)
    text = _ADDRESS.sub("", repr(value))
    return {"$type": _type_name(value), "text": text} if len(text) <= MAX_TEXT else _cut(_type_name(value), text)


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


def short_repr(value: Any) -> str:
    """Return the repr of a foreign object, at most 80 characters of it; never raises."""
    try:
        text = repr(value)
    except Exception as error:  # a foreign object's repr
        text = f"a {type(value).__name__} whose repr raises {type(error).__name__}"
    return text if len(text) <= _MAX_REPR else text[: _MAX_REPR - 3] + "..."
