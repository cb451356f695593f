"""Arrays of any library in a value, told by a hash of their content, as their text elides it."""

import math
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from runlore._ids import sha256_of
from runlore._spoken import without_addresses

_MAX_BYTES = 1 << 30  # of an array
_MAX_OBJECTS = 1 << 22  # elements of an array of objects
_MAX_DEPTH = 8  # of nested mappings and lists
_MAX_SEARCHED = 1000  # elements of a list that are searched for arrays
_MAX_FOUND = 10_000  # elements of all lists in a value that are searched


def hash_of(value: Any) -> str | None:
    """Return one sha256 of the arrays in a value: itself, or what lists and mappings hold; None without any."""
    hashes = _hashes(value)
    return sha256_of(" ".join(hashes).encode()) if len(hashes) > 1 else hashes[0] if hashes else None


def _hashes(value: Any, depth: int = 0, room: Iterator[int] | None = None) -> list[str]:
    """Return the hashes of the arrays in a value: itself, or what lists and mappings hold, while there is `room`."""
    if _is_array(value):
        return list(filter(None, [_hash(value)])) or _parts(value, depth, room)
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list | tuple | set | frozenset) or depth == _MAX_DEPTH:
        return []
    room = iter(range(_MAX_FOUND)) if room is None else room
    items = zip(islice(value, _MAX_SEARCHED), room, strict=False)
    found = [digest for item, _ in items for digest in _hashes(item, depth + 1, room)]
    return sorted(found) if isinstance(value, set | frozenset) else found


def _is_array(value: Any) -> bool:
    """Return True for arrays and tables of any library; those of one number are none."""
    ndim = getattr(value, "ndim", None)
    if ndim is None:  # columns and tables of libraries that are not numpy's kin
        return hasattr(type(value), "__array__") and hasattr(type(value), "__len__")
    return bool(ndim) and hasattr(value, "shape")


def _parts(value: Any, depth: int, room: Iterator[int] | None) -> list[str]:
    """Return the hashes of the arrays that a sparse one consists of."""
    held = getattr(value, "__dict__", None)
    return _hashes(dict(sorted(held.items())), depth + 1, room) if isinstance(held, dict) and depth < _MAX_DEPTH else []


def _hash(value: Any) -> str | None:
    """Return the sha256 of an array's type, shape and content, which its repr elides; None where it can't be had."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    try:
        value = value.detach().cpu() if hasattr(value, "detach") else value
        kind = str(getattr(value, "dtype", ""))
        if getattr(value, "is_sparse", False) is True and 8 * math.prod(value.shape) <= _MAX_BYTES:
            kind, value = f"sparse {kind}", value.to_dense()
        if getattr(value, "nbytes", 0) > _MAX_BYTES:
            return None
        value = value.float() if "bfloat" in kind and hasattr(value, "float") else value
        array = numpy.ascontiguousarray(value)
        if array.dtype.hasobject and (array.size > _MAX_OBJECTS or (array.size == 1 and array.flat[0] is value)):
            return None
        objects = without_addresses(repr(array.tolist())).encode("utf-8", "replace") if array.dtype.hasobject else b""
        content = objects or memoryview(array.reshape(-1).view("u1"))
    except Exception:  # a foreign object that is no array after all
        return None
    import hashlib  # which takes long to import, as long as none is needed

    found = hashlib.sha256(f"{kind} {array.dtype} {array.shape} ".encode())
    found.update(content)
    return found.hexdigest()
