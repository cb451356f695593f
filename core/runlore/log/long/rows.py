"""Rows of a log, as many at a time as a piece of the file holds.

A long log is read some ten times faster so. That takes numpy, whose import would take longer than a short log: it is
used where it was imported before, which whoever reads long logs does (`want_numpy`).
"""

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from runlore.log.frames import CRC_OF_KIND, HEAD, MARK_OF_KIND, ROW

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.uint32]

LONG_BYTES = 4 << 20  # of a log that it is worth importing numpy for
MIN_ROWS = 64  # of one kind, one behind the other, that are looked at together
MAX_SCANNED = 20_000  # rows of mixed kinds that are looked at together
TABLED_BYTES = 1024  # of a row whose checksum is calculated by tables

_NUMBER = struct.Struct("<I")
_HEADS = struct.Struct("<8sII")  # mark and length, checksum, number of the key set
_SEED = CRC_OF_KIND[ROW]
_POLYNOMIAL = 0xEDB88320  # of CRC-32


def want_numpy(size: int) -> None:
    """Import numpy where so many bytes of a log are to be read that it takes less time than it saves."""
    if size >= LONG_BYTES:
        import numpy as np  # noqa: F401


class Rows(NamedTuple):
    """Good rows of one key set within a piece of a log."""

    number: int  # of the key set
    order: "NDArray[np.int64]"  # of each among all rows of the piece
    payloads: "Bytes"  # one in each line


def good_rows(buffer: bytes, place: int, sizes: Mapping[int, int]) -> tuple[int, list[Rows]]:
    """Return the bytes that good rows take from `place` on, without a gap, and these rows by key set.

    `sizes` are those of a row, by the numbers of known key sets.
    """
    if len(buffer) - place < _HEADS.size:
        return 0, []
    _, _, number = _HEADS.unpack_from(buffer, place)
    size = sizes.get(number)
    alike = 0 if size is None else _count_alike(buffer, place, number, size)
    if alike >= MIN_ROWS and size is not None:
        return _equal_rows(buffer, place, number, size, alike)
    return _mixed_rows(buffer, place, sizes)


def _count_alike(buffer: bytes, place: int, number: int, size: int) -> int:
    """Return how many frames from a place on are rows of one key set by their heads."""
    import numpy as np

    width = HEAD.size + size
    count = (len(buffer) - place) // width
    if count < MIN_ROWS:
        return 0
    form = np.dtype({"names": ["head", "set"], "formats": ["<u8", "<u4"], "offsets": [0, 12], "itemsize": width})
    heads = np.frombuffer(buffer, form, count, place)
    good = (heads["head"] == int.from_bytes(_head_of(size), "little")) & (heads["set"] == number)
    return count if good.all() else int(good.argmin())


def _equal_rows(buffer: bytes, place: int, number: int, size: int, count: int) -> tuple[int, list[Rows]]:
    import numpy as np

    width = HEAD.size + size
    frames = np.frombuffer(buffer, np.uint8, count * width, place).reshape(count, width)
    payloads = frames[:, HEAD.size :]
    good = _checksums(payloads) == np.ascontiguousarray(frames[:, 8:12]).view("<u4").ravel()
    if not good.all():
        count = int(good.argmin())
    return count * width, [Rows(number, np.arange(count), payloads[:count])] if count else []


def _mixed_rows(buffer: bytes, place: int, sizes: Mapping[int, int]) -> tuple[int, list[Rows]]:
    """Return rows as `good_rows` does, of several key sets in any order."""
    import numpy as np

    heads: dict[int, bytes] = {}
    found: dict[int, tuple[list[int], list[int]]] = {}  # by key set: places of payloads, and which row it is
    begin, last = place, len(buffer)
    unpack = _HEADS.unpack_from
    for order in range(MAX_SCANNED):
        if last - place < _HEADS.size:
            break
        head, _, number = unpack(buffer, place)
        if number not in heads:
            heads[number] = _head_of(sizes[number]) if number in sizes else b""
        if head != heads[number] or place + HEAD.size + sizes[number] > last:
            break
        places, orders = found.setdefault(number, ([], []))
        places.append(place + HEAD.size)
        orders.append(order)
        place += HEAD.size + sizes[number]
    whole = np.frombuffer(buffer, np.uint8)
    rows = []
    bad = place + HEAD.size  # the place of the first damaged payload
    for number, (places, orders) in found.items():
        starts = np.array(places)
        payloads = whole[starts[:, None] + np.arange(sizes[number])]
        stored = np.ascontiguousarray(whole[starts[:, None] + np.arange(-4, 0)]).view("<u4").ravel()
        good = _checksums(payloads) == stored
        if not good.all():
            bad = min(bad, places[int(good.argmin())])
        rows.append((starts, Rows(number, np.array(orders), payloads)))
    kept = [(item, int((starts < bad).sum())) for starts, item in rows]
    return bad - HEAD.size - begin, [
        Rows(item.number, item.order[:count], item.payloads[:count]) for item, count in kept if count
    ]


def _head_of(size: int) -> bytes:
    """Return the first eight bytes of the frame of a row."""
    return MARK_OF_KIND[ROW] + _NUMBER.pack(size)


def _checksums(payloads: "Bytes") -> "Words":
    """Return the checksums of rows, one in each line."""
    import numpy as np

    count, size = payloads.shape
    if size > TABLED_BYTES:
        return np.array([crc32(line.tobytes(), _SEED) for line in payloads], np.uint32)
    tables = _tables(size)
    found = np.full(count, crc32(bytes(size), _SEED), np.uint32)
    for table, column in zip(tables, np.ascontiguousarray(payloads.T), strict=True):
        found ^= table.take(column)
    return found


@lru_cache(maxsize=8)
def _tables(size: int) -> "Words":
    """Return what each byte of a row adds to its checksum, by its place and its value: a CRC is linear."""
    import numpy as np

    table: Any = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ ((table & 1) * np.uint32(_POLYNOMIAL))
    found = [table]
    while len(found) < size:
        found.append(table[found[-1] & 0xFF] ^ (found[-1] >> 8))
    return np.stack(found[::-1])
