"""Tell one dataset from another without loading any of it: by class, length, and what its attributes hold."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from numbers import Number
from typing import Any

from runlore.guest import guards

MAX_DEPTH = 5  # of objects within a dataset
MAX_ITEMS = 2_000  # of a list or mapping that are looked at, evenly spaced; fewer of those within it
MIN_ITEMS = 8  # of a list or mapping in another one
LEAVES = 20  # times as many numbers and texts in a list are all looked at
LEAF = frozenset([int, float, bool, str])
MAX_TEXT = 1 << 20
MAX_BYTES = 64 << 20  # of an array; of a larger one evenly spaced blocks of rows are looked at
BLOCKS = 16
MAX_TOTAL = 1 << 30  # of all arrays together, about a second; of those behind it two small blocks are looked at
SMALL = 64 << 10
MAX_TENSORS = 10  # of a dataset that are described
MAX_WORD = 60  # characters of a name that a dataset carries
PLAIN = (type(None), Number, date, time, timedelta, range, slice)  # whose repr tells their value


class _Opaque(Exception):
    """Nothing tells what an object holds."""


def facts_of(loader: Any) -> tuple[dict[str, Any], Sequence[Any]]:
    """Return the facts of a data loader, or of a dataset itself, and the tensors that it holds in memory."""
    is_loader = hasattr(loader, "dataset") and (hasattr(loader, "batch_size") or hasattr(loader, "batch_sampler"))
    dataset = loader.dataset if is_loader else loader
    facts = {"batch_size": getattr(loader, "batch_size", None), "rows": length(dataset)}
    inner = dataset
    while type(inner).__name__ == "Subset":  # a part of another dataset
        inner = inner.dataset
    tensors = getattr(inner, "tensors", None)
    known = {key: value for key, value in facts.items() if value is not None}
    return {"kind": kind_of(inner), **known}, tensors[:MAX_TENSORS] if isinstance(tensors, tuple) else ()


def kind_of(data: Any) -> str:
    """Return the class of a dataset, with its module."""
    return f"{type(data).__module__}.{type(data).__qualname__}"


def carried_names(data: Any) -> tuple[str | None, str | None]:
    """Return the names that a dataset carries of the configuration and the split that it is; None where it has none."""
    try:
        with guards.without_trace():
            data = getattr(data, "dataset", data)  # of a loader
            config, split = (_word(getattr(data, name, None)) for name in ("config_name", "split"))
    except Exception:  # a foreign object, which may raise anything when it is looked at
        return None, None
    return None if config == "default" else config, split


def _word(value: Any) -> str | None:
    """Return a text, or the name that an object stands for; None for a method, a number, and what has no such name."""
    text = "" if callable(value) else str(value or "")
    return text if text[:1].isalpha() and len(text) <= MAX_WORD and " " not in text else None


def length(data: Any) -> int | None:
    """Return the length that a dataset reports; None where it reports none."""
    try:
        return len(data) if hasattr(type(data), "__len__") else None
    except (TypeError, NotImplementedError):  # a method, but no length
        return None


def content_of(data: Any) -> str | None:
    """Return a hash of what a dataset holds; None where its attributes don't tell.

    They tell where all of them can be looked through, and one holds an array, a table, a text or items. Arrays and
    mappings that read what they hold when they are asked for it, as those of h5py, are not asked.
    """
    digest = hashlib.sha256()
    telling = False
    try:
        with guards.without_trace():
            for text, tells in _walk(data, MAX_DEPTH, MAX_ITEMS, [MAX_TOTAL]):
                digest.update(f"{len(text)} {text}".encode("utf-8", "surrogatepass"))
                telling = telling or tells
    except Exception:  # foreign objects, which may raise anything when they are looked at, and what is opaque
        return None
    return digest.hexdigest()[:32] if telling else None


def _walk(value: Any, depth: int, room: int, left: list[int]) -> Iterator[tuple[str, bool]]:
    """Yield texts for a value and all that it holds, each with whether it tells this value from others of its class.

    `left` are the bytes of arrays that may still be read whole.
    """
    if isinstance(value, PLAIN):
        yield repr(value), False
    elif isinstance(value, str | bytes | os.PathLike):
        yield _text_of(value), bool(value)
    elif isinstance(value, set | frozenset) and len(value) > room * LEAVES:  # it has no order to take some by
        yield f"{kind_of(value)} {len(value)}", False
    elif isinstance(value, set | frozenset):
        yield _text_of(repr(sorted(map(repr, value)))), bool(value)
    elif isinstance(value, type) or callable(value):
        yield str(getattr(value, "__qualname__", None) or kind_of(value)), False
    else:
        fingerprint = _fingerprint_of(value, left) if hasattr(type(value), "shape") else None
        yield f"{kind_of(value)} {length(value)} {fingerprint}", fingerprint is not None
        if fingerprint is None:
            yield from _inside(value, depth, room, left)


def _inside(value: Any, depth: int, room: int, left: list[int]) -> Iterator[tuple[str, bool]]:
    """Yield texts for the items or attributes of an object."""
    if depth == 0:
        raise _Opaque
    items: Sequence[Any]
    if isinstance(value, list | tuple) and len(value) <= room * LEAVES and LEAF.issuperset(map(type, value)):
        yield repr(value), bool(value)
        return
    if isinstance(value, dict):
        items, tells = [part for pair in _some(list(value.items()), room) for part in pair], True
    elif isinstance(value, list | tuple):
        items, tells = _some(value, room), True
    elif hasattr(value, "__dict__"):
        items, tells = [part for pair in sorted(vars(value).items()) for part in pair], False
    else:
        raise _Opaque
    for place, item in enumerate(items):
        is_name = not tells and place % 2 == 0
        for text, told in _walk(item, depth - 1, max(MIN_ITEMS, room // len(items)), left):
            yield text, (tells or told) and not is_name


def _some(items: Sequence[Any], most: int) -> Sequence[Any]:
    return items[:: -(-len(items) // most) or 1]


def _text_of(value: Any) -> str:
    text = value if isinstance(value, str | bytes) else os.fspath(value)
    some = _some(text, MAX_TEXT)
    return some if isinstance(some, str) else repr(some)


def _fingerprint_of(data: Any, left: list[int]) -> str | None:
    """Return the fingerprint of an array or a table; of a large array that of blocks of its rows.

    A step through the rows would read all of a file that is mapped into memory.
    """
    size = getattr(data, "nbytes", 0)
    if not isinstance(size, int) or not hasattr(type(data), "__dlpack__"):  # none of numpy's kind
        return _described(data)
    most = MAX_BYTES if left[0] > 0 else SMALL
    left[0] -= min(size, most)
    if size <= most:
        return _described(data)
    rows, blocks = len(data), max(2, BLOCKS * most // MAX_BYTES)
    length = max(1, rows * most // size // blocks)
    starts = dict.fromkeys((rows - length) * place // (blocks - 1) for place in range(blocks))
    prints = [_described(data[start : start + length]) for start in starts]
    return None if None in prints else hashlib.sha256(repr((tuple(data.shape), prints)).encode()).hexdigest()


def _described(data: Any) -> str | None:
    found = guards.describe(data)
    return None if found is None else found.fingerprint
