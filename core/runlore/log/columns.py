"""Columns of numbers, packed for a sealed file and unpacked: with the standard library, or into numpy.

Integers: differences, bytes shuffled, zlib. Floats: as float32 where every value survives it, bytes shuffled, zlib. A
constant difference takes sixteen bytes, a constant float eight. docs/format.md has the exact rules.
"""

import struct
import zlib
from array import array
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING, Any

from runlore.log.frames import DecodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


INTEGERS = ("range", "delta")  # encodings
FLOATS = ("constant", "float32", "float64")

_ZLIB_LEVEL = 1
_MASK_64 = 0xFFFF_FFFF_FFFF_FFFF
_WIDTHS = {"delta": 8, "float32": 4, "float64": 8}  # bytes of a number in the encodings that are shuffled
_RANGE = struct.Struct("<qQ")  # the first number, and the difference to each next one


def pack_integers(values: Any) -> tuple[str, bytes]:
    """Return encoding and bytes; `values` is an array of type "q", or numpy's of int64, with at least one item."""
    if not isinstance(values, array):
        return _pack_integers(values)
    first = values[0]
    differences = list(map(sub, values[1:], values))
    if not differences or min(differences) == max(differences):
        difference = differences[0] if differences else 0
        return "range", _RANGE.pack(first, difference & _MASK_64)
    words = array("Q", [difference & _MASK_64 for difference in (first, *differences)])
    return "delta", _shuffled(words.tobytes(), 8)


def _pack_integers(values: "NDArray[np.int64]") -> tuple[str, bytes]:
    import numpy as np

    words = np.ascontiguousarray(values).view(np.uint64)
    differences = words[1:] - words[:-1]
    if not len(differences) or (differences == differences[0]).all():
        return "range", _RANGE.pack(int(values[0]), int(differences[0]) if len(differences) else 0)
    return "delta", _shuffled(np.concatenate([words[:1], differences]).tobytes(), 8)


def pack_floats(values: Any) -> tuple[str, bytes]:
    """Return encoding and bytes; `values` is an array of type "d", or numpy's of float64, with at least one item."""
    if not isinstance(values, array):
        return _pack_floats(values)
    raw = values.tobytes()
    if raw == raw[:8] * len(values):
        return "constant", raw[:8]
    narrow = array("f", values)
    if array("d", narrow).tobytes() == raw:
        return "float32", _shuffled(narrow.tobytes(), 4)
    return "float64", _shuffled(raw, 8)


def _pack_floats(values: "NDArray[np.float64]") -> tuple[str, bytes]:
    import numpy as np

    values = np.ascontiguousarray(values)
    words = values.view(np.uint64)
    if (words == words[0]).all():
        return "constant", values[:1].tobytes()
    with np.errstate(all="ignore"):
        narrow = values.astype(np.float32)
        is_exact = bool((narrow.astype(np.float64).view(np.uint64) == words).all())
    return ("float32", _shuffled(narrow.tobytes(), 4)) if is_exact else ("float64", _shuffled(values.tobytes(), 8))


def unpack(encoding: str, data: bytes, rows: int) -> "array[Any]":
    """Return the column as an array of type "q" or "d".

    Raises:
        DecodeError: the bytes are not `rows` numbers in this encoding.
    """
    if encoding == "range":
        first, difference = _range_of(data)
        return _signed([(first + row * difference) & _MASK_64 for row in range(rows)])
    if encoding == "constant":
        return array("d", _constant_of(data) * rows)
    width = _width_of(encoding)
    planes = _inflated(data, rows * width)
    raw = bytearray(len(planes))
    for plane in range(width):
        raw[plane::width] = planes[plane * rows : (plane + 1) * rows]
    if encoding == "delta":
        return _signed([total & _MASK_64 for total in accumulate(array("Q", bytes(raw)))])
    return array("d", array("f", bytes(raw))) if width == 4 else array("d", bytes(raw))


def unpack_numpy(encoding: str, data: bytes, rows: int) -> "NDArray[Any]":
    """Return the column as a numpy array of int64 or float64.

    Raises:
        DecodeError: the bytes are not `rows` numbers in this encoding.
    """
    import numpy as np

    if encoding == "range":
        first, difference = _range_of(data)
        words = np.uint64(first & _MASK_64) + np.arange(rows, dtype=np.uint64) * np.uint64(difference)
        return words.view(np.int64)
    if encoding == "constant":
        return np.full(rows, struct.unpack("<d", _constant_of(data))[0])
    width = _width_of(encoding)
    planes = np.frombuffer(_inflated(data, rows * width), np.uint8).reshape(width, rows)
    raw = np.ascontiguousarray(planes.T)
    if encoding == "delta":
        return np.cumsum(raw.view(np.uint64).ravel(), dtype=np.uint64).view(np.int64)
    column: NDArray[np.float64] = raw.view(np.float32 if width == 4 else np.float64).ravel().astype(np.float64)
    return column


def _range_of(data: bytes) -> tuple[int, int]:
    if len(data) != _RANGE.size:
        raise DecodeError(f"a range has {_RANGE.size} bytes, not {len(data)}")
    first, difference = _RANGE.unpack(data)
    return first, difference


def _constant_of(data: bytes) -> bytes:
    if len(data) != 8:
        raise DecodeError(f"a constant has 8 bytes, not {len(data)}")
    return data


def _width_of(encoding: str) -> int:
    width = _WIDTHS.get(encoding)
    if width is None:
        raise DecodeError(f"a column has the unknown encoding {encoding!r}")
    return width


def _shuffled(raw: bytes, width: int) -> bytes:
    """Compress numbers with the lowest byte of each first, then the next of each, and so on."""
    return zlib.compress(b"".join(raw[plane::width] for plane in range(width)), _ZLIB_LEVEL)


def _inflated(data: bytes, size: int) -> bytes:
    """Decompress to exactly `size` bytes, and never to many more."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, size + 1)
    except zlib.error as error:
        raise DecodeError(f"a column can't be decompressed: {error}") from error
    if len(raw) != size or not inflater.eof:
        raise DecodeError(f"a column has not the {size} bytes of its rows")
    return raw


def _signed(words: list[int]) -> "array[int]":
    return array("q", array("Q", words).tobytes())
