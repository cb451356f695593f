"""Arrays of any library in a value, told by a hash of their content, as their text elides it."""

import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from runlore._ids import sha256_of

_MAX_BYTES = 1 << 30  # of an array
_MAX_DEPTH = 8  # of nested mappings and lists
_MAX_SEARCHED = 1000  # elements of a list that are searched for arrays
_MAX_FOUND = 10_000  # elements of all lists in a value that are searched


def hash_of(value: Any) -> str | None:
    """Return one sha256 of the arrays in a value: itself, or what lists and mappings hold; None without any."""
    hashes = _hashes(value)
    return sha256_of(" ".join(hashes).encode()) if len(hashes) > 1 else hashes[0] if hashes else None


def _hashes(value: Any, depth: int = 0, room: Iterator[int] | None = None) -> list[str]:
    """Return the hashes of the arrays in a value: itself, or what lists and mappings hold, while there is `room`."""
    if getattr(value, "ndim", None) and hasattr(value, "shape"):
        return list(filter(None, [_hash(value)]))
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list | tuple | set | frozenset) or depth == _MAX_DEPTH:
        return []
    room = iter(range(_MAX_FOUND)) if room is None else room
    items = zip(islice(value, _MAX_SEARCHED), room, strict=False)
    found = [digest for item, _ in items for digest in _hashes(item, depth + 1, room)]
    return sorted(found) if isinstance(value, set | frozenset) else found


def _hash(value: Any) -> str | None:
    """Return the sha256 of an array's type, shape and content, which its repr elides; None where it can't be had."""
    numpy = sys.modules.get("numpy")
    if numpy is None or getattr(value, "nbytes", 0) > _MAX_BYTES:
        return None
    try:
        value = value.detach().cpu() if hasattr(value, "detach") else value
        kind = str(getattr(value, "dtype", ""))
        value = value.float() if "bfloat" in kind and hasattr(value, "float") else value
        array = numpy.ascontiguousarray(value)
        content = repr(array.tolist()).encode() if array.dtype.hasobject else memoryview(array.reshape(-1).view("u1"))
    except Exception:  # a foreign object that is no array after all
        return None
    import hashlib  # which takes long to import, as long as none is needed

    found = hashlib.sha256(f"{kind} {array.dtype} {array.shape} ".encode())
    found.update(content)
    return found.hexdigest()
