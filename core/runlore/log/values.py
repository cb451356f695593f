"""Values as JSON can hold them: numbers and texts as they are, everything else described by type and text."""

import json
import math
import operator
from collections.abc import Iterable, Iterator, Mapping, MutableSequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

from runlore._ids import sha256_of
from runlore._text import as_text, short_repr
from runlore.log.points import plain_float

MAX_STEP = (1 << 63) - 1
MAX_DEPTH = 8  # of nested mappings and lists
MAX_TEXT = 64 << 10  # characters of a value; a longer one is cut, and its hash kept

_CUT_TEXT = 1 << 10  # characters that a cut value keeps
_MAX_KEY = 1024  # characters
_MAX_INT_BITS = 1024  # of a whole number that is kept as one
_MAX_LISTED = 1 << 20  # elements of a list and of those in it: the text of a larger one is its repr
_MAX_FOUND = 10_000  # elements of all lists in a value that are searched
_HIDDEN = object()  # in place of what a list can't show
_LEAVES = frozenset((str, int, float, bool, type(None), bytes))
_VARARGS, _VARKEYS = 4, 8  # flags of a function's code: it takes any number of arguments, and of named ones
_NO_MAPPINGS = frozenset((str, int, float, bool, type(None), list, tuple))
TWICE = "is named twice in one call: the later value counts"
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
    kind = type(value)
    if kind in _NO_MAPPINGS or isinstance(value, type):
        return None
    if isinstance(value, dict | Mapping):  # nearly all are dicts, which is told sooner
        return value
    from runlore._spoken import is_namespace  # which plain values need not

    if is_namespace(kind):
        return _Attributes(value, list(vars(value)))
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields as fields_of  # whoever has one has loaded it

        return _Attributes(value, [item.name for item in fields_of(value)])  # type: ignore[arg-type]
    fields = getattr(kind, "__pydantic_fields__", None) or getattr(kind, "__fields__", None)
    if isinstance(fields, dict):
        return _Attributes(value, list(fields))
    fields = getattr(kind, "__attrs_attrs__", None)
    if isinstance(fields, tuple):
        return _Attributes(value, [str(item.name) for item in fields])
    return None


class Flat(dict[str, Plain]):
    """Values by dotted keys; `twice` are the keys that were given more than once, of which the later value counts."""

    def __init__(self) -> None:
        super().__init__()
        self.twice: set[str] = set()

    def __setitem__(self, key: str, value: Plain) -> None:
        if key in self:
            self.twice.add(key)
        super().__setitem__(key, value)


def flatten(params: object) -> Flat:
    """Return params with dotted keys and values that JSON can hold; one that can't be read costs no other.

    Raises:
        TypeError: they are nothing that `mapping_of` knows.
    """
    found = mapping_of(params)
    if found is None:
        raise TypeError(f"{short_repr(params)} is no mapping: write one, such as {{'key': 'value'}}")
    flat = Flat()
    _flatten_into(flat, "", found, (id(params),))
    return flat


def twice(keys: Iterable[str]) -> set[str]:
    """Return the keys that are there more than once."""
    seen: set[str] = set()
    return {key for key in keys if key in seen or seen.add(key)}  # type: ignore[func-returns-value]


def unreadable(values: Mapping[str, Plain]) -> dict[str, str]:
    """Return the keys of values that could not be read, or of which another has taken the key, each with the reason."""
    found = {key: str(value["error"]) for key, value in values.items() if isinstance(value, dict) and "error" in value}
    return found | dict.fromkeys(sorted(getattr(values, "twice", ())), TWICE)


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


def _flatten_into(flat: Flat, prefix: str, params: Mapping[Any, Any], above: tuple[int, ...]) -> None:
    try:
        names = list(params)
    except Exception as error:  # a foreign mapping
        flat[prefix.removesuffix(".") or "params"] = _unread(params, error)
        return
    for name in names:
        key = f"{prefix}{key_text(name)}"
        try:
            value = params[name]
            nested = mapping_of(value) if len(above) <= MAX_DEPTH else None
            filled = nested is not None and len(nested) > 0
        except Exception as error:  # likewise; or an attribute that is computed
            flat[key] = _unread(None, error)
            continue
        if id(value) in above:  # one of the objects that the mapping lies in
            flat[key] = {"$type": _type_name(value), "text": "…"}
        elif nested is not None and filled:
            _flatten_into(flat, f"{key}.", nested, (*above, id(value)))
        else:
            flat[key] = describe(value)


def _unread(value: Any, error: Exception) -> Plain:
    return {"$type": _type_name(value), "text": "", "error": f"{type(error).__name__} while it was read"}


def key_text(name: Any) -> str:
    """Return a name as a part of a key, of limited length."""
    return as_text(name)[:_MAX_KEY]


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
    value = _as_list(value)
    listed = _listed(value) if isinstance(value, list | tuple) else _HIDDEN
    if listed is not _HIDDEN:
        text = json.dumps(listed, ensure_ascii=False)
        kind = "tuple" if isinstance(value, tuple) else "list"  # those of a class of its own, too
        return {"$type": kind, "text": text} if len(text) <= MAX_TEXT else _cut("list", text)
    from runlore._spoken import is_generic, shortest, spoken_text, without_addresses  # likewise

    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__") and not is_generic(value)):
        return {"$type": type(value).__name__, "text": f"{value.__module__}.{value.__qualname__}"}
    if isinstance(value, set | frozenset):
        return _fitting(type(value).__name__, _set_text(value))
    spoken = spoken_text(value)
    if spoken is not None:
        return _fitting(_type_name(value), spoken)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        item = value.item()
        value = item if isinstance(item, complex) else value
        if isinstance(item, bool | int | float | str):
            return _describe(shortest(item, str(getattr(value, "dtype", ""))) if type(item) is float else item)
    is_bare = _is_bare(value)
    text = str(_shown(value)) if is_bare else repr(_with_fields(value))
    text = without_addresses(text).replace(str(id(value)), "…")
    from runlore._arrays import hash_of  # which few values need

    digest = hash_of(list(_held(value).values()) if is_bare else value)
    return _fitting(_type_name(value), text if digest is None else f"{text} sha256:{digest[:16]}")


def _as_list(value: Any) -> Any:
    """Return a list for a sequence of another class that is one in all but name, whose items may be computed."""
    if isinstance(value, MutableSequence) and not isinstance(value, list | bytearray) and len(value) <= _MAX_FOUND:
        with suppress(Exception):  # an item can't be had
            return list(value)
    return value


def _listed(value: Any, depth: int = 0, room: list[int] | None = None) -> Any:
    """Return an element of a list as JSON has it: plain, a list of such, or `spoken_text`; `_HIDDEN` for others."""
    if value is None or type(value) in (bool, str) or (type(value) is float and math.isfinite(value)):
        return value
    if type(value) is int:
        return _short_int(value)
    value = _as_list(value)
    if isinstance(value, list | tuple):
        room = [_MAX_LISTED] if room is None else room
        room[0] -= len(value)
        if depth == MAX_DEPTH or len(value) > MAX_TEXT or room[0] < 0:
            return _HIDDEN
        items = list(takewhile(lambda item: item is not _HIDDEN, (_listed(item, depth + 1, room) for item in value)))
        return items if len(items) == len(value) else _HIDDEN  # what contains itself ends at the first branch
    from runlore._spoken import spoken_text

    found = spoken_text(value)
    if found is not None:
        return found
    item = _describe(value) if isinstance(value, int | float | str) or getattr(value, "ndim", None) == 0 else None
    return _HIDDEN if item is None or isinstance(item, dict) else item


def _short_int(value: int) -> int | str:
    """Return a whole number; one of very many digits, which Python refuses to write, as the text of its hex digits."""
    return value if value.bit_length() <= _MAX_INT_BITS else f"0X{value:X}"  # 0x looks like an address


def _with_fields(value: Any, depth: int = 0, room: list[int] | None = None) -> Any:
    """Return what stands in lists, sets and mappings as people write it: objects with fields as `mapping_of` has them.

    Whole numbers of very many digits become texts, sets lists in an order that depends on nothing but their elements.
    """
    room = [_MAX_FOUND] if room is None else room
    value = _as_list(value)
    kind = type(value)
    if kind in _LEAVES:
        return _short_int(value) if kind is int else value
    is_set = isinstance(value, set | frozenset)
    items = value if is_set or kind in (list, tuple, dict) else mapping_of(value) if depth else None
    if items is None:
        from runlore._spoken import spoken_text

        spoken = spoken_text(value) if depth else None
        return spoken if spoken is not None else _shown(value) if _is_bare(value) else value
    if depth == MAX_DEPTH or len(items) > room[0]:
        return value
    room[0] -= len(items)
    if isinstance(items, Mapping):
        with suppress(Exception):  # of a foreign object, which its own repr may show
            return {name: _with_fields(items[name], depth + 1, room) for name in items}
        return value
    from runlore._spoken import without_addresses

    found = [_with_fields(item, depth + 1, room) for item in items]
    return sorted(found, key=lambda item: without_addresses(repr(item))) if is_set else kind(found)


class _Shown(str):
    """The text of an object, which stands in lists without quotes."""

    __repr__ = str.__str__


def _is_bare(value: Any) -> bool:
    """Return True for an object without a repr of its own, of a class that takes arguments."""
    kind: Any = type(value)
    return kind.__repr__ is object.__repr__ and hasattr(kind.__init__, "__code__")


def _shown(value: Any) -> _Shown:
    """Return the class of an object with the arguments that it keeps: plain ones as they are, others by class."""
    given = ", ".join(f"{name}={_argument(held)}" for name, held in _held(value).items())
    return _Shown(f"{_type_name(value)}({given})" if given else repr(value))


def _held(value: Any) -> dict[str, Any]:
    """Return the arguments that an object keeps under their names, also in slots."""
    from runlore._spoken import is_slot

    kind = type(value)
    code = kind.__init__.__code__
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & _VARARGS) + bool(code.co_flags & _VARKEYS)
    held = getattr(value, "__dict__", {})
    names = [name for name in code.co_varnames[1:count] if name in held or is_slot(getattr(kind, name, None))]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _argument(value: Any) -> str:
    listed = {} if isinstance(value, dict) and not value else _listed(value)
    return type(value).__qualname__ if listed is _HIDDEN else repr(listed)


def _fitting(kind: str, text: str) -> Plain:
    return {"$type": kind, "text": text} if len(text) <= MAX_TEXT else _cut(kind, text)


def _set_text(value: "set[Any] | frozenset[Any]") -> str:
    """Return the elements in an order that depends on nothing but them."""
    items = [_listed(item) for item in value]
    if not any(item is _HIDDEN for item in items):
        return "[" + ", ".join(sorted(json.dumps(item, ensure_ascii=False) for item in items)) + "]"
    from runlore._spoken import without_addresses

    return "{" + ", ".join(sorted(without_addresses(repr(_with_fields(item, 1))) for item in value)) + "}"


def _cut(kind: str, text: str) -> Plain:
    digest = sha256_of(text.encode("utf-8", "backslashreplace"))
    return {"$type": kind, "text": text[:_CUT_TEXT] + "…", "sha256": digest, "length": len(text)}


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def as_step(step: Any) -> int | None:
    """Return a step as a number of 64 bits; None for anything that is no whole number of that size."""
    try:
        number = operator.index(step)
    except Exception:  # whatever a foreign object raises; frameworks make floats and tensors of steps
        value = as_number(step)
        number = int(value) if value is not None and value.is_integer() else MAX_STEP + 1
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
