"""How a column of numbers is packed in a sealed file, and unpacked: with the standard library, or into numpy.

Integers: the differences, their bytes shuffled, zlib. Floats: as float32 where every value survives it, bytes shuffled,
zlib. A constant difference, and a constant float, take sixteen and eight bytes. docs/format.md has the exact rules.
"""

import struct
import zlib
from array import array
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


LEVEL = 1
WORD = 0xFFFF_FFFF_FFFF_FFFF


def pack_integers(values: "array[int]") -> tuple[str, bytes]:
    """The name of the encoding and the bytes; `values` is an array of type "q" with at least one item."""
    first = values[0]
    differences = list(map(sub, values[1:], values))
    if not differences or min(differences) == max(differences):
        difference = differences[0] if differences else 0
        return "range", struct.pack("<qQ", first, difference & WORD)
    words = array("Q", [difference & WORD for difference in (first, *differences)])
    return "delta", _squeeze(words.tobytes(), 8)


def pack_floats(values: "array[float]") -> tuple[str, bytes]:
    """The name of the encoding and the bytes; `values` is an array of type "d" with at least one item."""
    raw = values.tobytes()
    if raw == raw[:8] * len(values):
        return "constant", raw[:8]
    narrow = array("f", values)
    if array("d", narrow).tobytes() == raw:
        return "float32", _squeeze(narrow.tobytes(), 4)
    return "float64", _squeeze(raw, 8)


def unpack(encoding: str, data: bytes, rows: int) -> "array[Any]":
    """The column as an array of type "q" or "d"."""
    if encoding == "range":
        first, difference = struct.unpack("<qQ", data)
        return _signed([(first + row * difference) & WORD for row in range(rows)])
    if encoding == "delta":
        words = array("Q", _spread(data, 8))
        return _signed([total & WORD for total in accumulate(words)])
    if encoding == "constant":
        return array("d", data * rows)
    if encoding == "float32":
        return array("d", array("f", _spread(data, 4)))
    return array("d", _spread(data, 8))


def unpack_numpy(encoding: str, data: bytes, rows: int) -> "NDArray[Any]":
    """The column as a numpy array of int64 or float64."""
    import numpy as np

    if encoding == "range":
        first, difference = struct.unpack("<qQ", data)
        words = np.uint64(first & WORD) + np.arange(rows, dtype=np.uint64) * np.uint64(difference)
        return words.view(np.int64)
    if encoding == "constant":
        return np.full(rows, struct.unpack("<d", data)[0])
    width = 4 if encoding == "float32" else 8
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(width, rows)
    raw = np.ascontiguousarray(planes.T)
    if encoding == "delta":
        return np.cumsum(raw.view(np.uint64).ravel(), dtype=np.uint64).view(np.int64)
    column: NDArray[np.float64] = raw.view(np.float32 if width == 4 else np.float64).ravel().astype(np.float64)
    return column


def _squeeze(raw: bytes, width: int) -> bytes:
    return zlib.compress(b"".join(raw[plane::width] for plane in range(width)), LEVEL)


def _spread(data: bytes, width: int) -> bytes:
    planes = zlib.decompress(data)
    rows = len(planes) // width
    raw = bytearray(len(planes))
    for plane in range(width):
        raw[plane::width] = planes[plane * rows : (plane + 1) * rows]
    return bytes(raw)


def _signed(words: list[int]) -> "array[int]":
    return array("q", array("Q", words).tobytes())
