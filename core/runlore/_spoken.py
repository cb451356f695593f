"""Objects as people write them, by their classes: which have a text of their own, and what kinds there are."""

import math
import os
import re
import struct
from contextlib import suppress
from enum import Enum
from types import MemberDescriptorType
from typing import Any

_ADDRESS = r" at 0x[0-9a-fA-F]+|\b0x[0-9a-fA-F]{8,}"
_NAMESPACES = {"argparse.Namespace", "types.SimpleNamespace"}
_SPOKEN = {  # classes whose str is what people write, of the standard library; subclasses, too
    f"{module}.{name}"
    for module, names in {
        "decimal": ("Decimal",), "fractions": ("Fraction",), "uuid": ("UUID",),
        "datetime": ("datetime", "date", "time", "timedelta", "tzinfo"),
        "ipaddress": ("_IPAddressBase",),
    }.items()
    for name in names
}  # fmt: skip
_TOLD_OTHERWISE = ("__dataclass_fields__", "__pydantic_fields__", "__fields__", "__attrs_attrs__", "__array__", "item")
_CLASS = r"^<?[\w.]+"  # begins the repr of an object
_WORD = r"\w+\b(?!=)"  # but for the names of arguments
_MAX_SPOKEN = 200  # characters of a text that an object has of its own


def spoken_text(value: Any) -> str | None:
    """Return the text that people write for a value: a path, the name of an enum's member; None for most objects."""
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, Enum):
        return str(value.name)
    is_time = getattr(getattr(value, "dtype", None), "kind", None) in ("M", "m") and getattr(value, "ndim", 1) == 0
    return str(value) if is_time or _is_one_of(type(value), _SPOKEN) else _own_text(value)


def _own_text(value: Any) -> str | None:
    """Return the short text that an object of a library has beside its repr: `cuda:0`, `float32`, `2.1.0`, `https://…`.

    None where the repr says more, for objects with fields, which are told by these, and for exceptions.
    """
    kind: Any = type(value)
    if kind.__str__ is object.__str__ or kind.__repr__ in (object.__repr__, kind.__str__):
        return None
    if any(hasattr(kind, name) for name in _TOLD_OTHERWISE) or isinstance(value, bytes | bytearray | BaseException):
        return None
    text = str(value)
    if not (0 < len(text) <= _MAX_SPOKEN and text.isprintable()):
        return None
    words = re.findall(_WORD, re.sub(_CLASS, "", repr(value)))
    return text if words and set(words) <= set(re.findall(_WORD, text)) else None


def without_addresses(text: str) -> str:
    """Return a text without addresses in memory, which differ between equal runs."""
    return re.sub(_ADDRESS, "", text) if "0x" in text else text


def is_namespace(kind: type) -> bool:
    """Return True for a class whose attributes are all that it is for."""
    return _is_one_of(kind, _NAMESPACES)


def is_generic(value: object) -> bool:
    """Return True for a type with others as arguments, such as `list[int]`, which has the name of the former only."""
    return hasattr(value, "__origin__") and hasattr(value, "__args__")


def is_slot(attribute: object) -> bool:
    """Return True for what a class has in place of an attribute that lies in a slot."""
    return isinstance(attribute, MemberDescriptorType)


def shortest(number: float, kind: str) -> float:
    """Return the number that people wrote for one of fewer bits: 0.1 for float32's 0.10000000149011612."""
    form = "f" if kind.endswith("float32") else "e" if kind.endswith("float16") and "bfloat" not in kind else ""
    for digits in range(1, 10) if form and math.isfinite(number) else ():
        found = float(f"{number:.{digits}g}")
        with suppress(OverflowError):  # rounded beyond what that type can hold
            if struct.unpack(form, struct.pack(form, found)) == (number,):
                return found
    return number


def _is_one_of(kind: type, names: set[str]) -> bool:
    return any(f"{base.__module__}.{base.__qualname__}" in names for base in kind.__mro__)
