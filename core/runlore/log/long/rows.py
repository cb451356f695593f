"""Rows of a log, as many at a time as a piece of the file holds.

A long log is read some ten times faster so. That takes numpy, whose import would take longer than a short log: it is
used where it was imported before, which whoever reads long logs does (`want_numpy`).
"""

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from runlore.log.frames import CRC_OF_KIND, HEAD, MARK_OF_KIND, ROW

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runlore.log.points import KeySet

LONG_BYTES = 4 << 20  # of a log that it is worth importing numpy for
MIN_ROWS = 64  # of one kind, one behind the other, that are looked at together
MAX_SCANNED = 20_000  # rows of mixed kinds that are looked at together

_NUMBER = struct.Struct("<I")
_HEADS = struct.Struct("<8sII")  # mark and length, checksum, number of the key set
_SEED = CRC_OF_KIND[ROW]
_NOTHING_LEFT = 0xFFFFFFFF  # as zlib tells a remainder of zero


def want_numpy(size: int) -> None:
    """Import numpy where so many bytes of a log are to be read that it takes less time than it saves."""
    if size >= LONG_BYTES:
        import numpy as np  # noqa: F401


class Rows(NamedTuple):
    """Good rows of one key set within a piece of a log."""

    number: int  # of the key set
    order: "NDArray[np.int64]"  # of each among all rows of the piece
    payloads: "NDArray[np.void]"


def good_rows(buffer: bytes, place: int, key_sets: Mapping[int, "KeySet"]) -> tuple[int, list[Rows]]:
    """Return the bytes that good rows take from `place` on, without a gap, and these rows by key set.

    `key_sets` are the known ones by their numbers.
    """
    if len(buffer) - place < _HEADS.size:
        return 0, []
    _, _, number = _HEADS.unpack_from(buffer, place)
    key_set = key_sets.get(number)
    alike = None if key_set is None else _alike(buffer, place, number, key_set.size)
    return _mixed_rows(buffer, place, key_sets) if alike is None else _equal_rows(alike, number)


def _alike(buffer: bytes, place: int, number: int, size: int) -> Any:
    """Return the frames from a place on that are rows of one key set by their heads; None where they are few."""
    import numpy as np

    width = HEAD.size + size
    count = (len(buffer) - place) // width
    if count < MIN_ROWS:
        return None
    fields = {"head": ("<u8", 0), "check": ("<u4", 8), "set": ("<u4", 12), "row": (f"V{size}", HEAD.size)}
    formats, offsets = zip(*fields.values(), strict=True)
    form = np.dtype({"names": [*fields], "formats": formats, "offsets": offsets, "itemsize": width})
    frames = np.frombuffer(buffer, form, count, place)
    good = (frames["head"] == int.from_bytes(_head_of(size), "little")) & (frames["set"] == number)
    count = count if good.all() else int(good.argmin())
    return frames[:count] if count >= MIN_ROWS else None


def _equal_rows(frames: Any, number: int) -> tuple[int, list[Rows]]:
    import numpy as np

    count = _count_good(frames["row"], frames["check"])
    return count * frames.itemsize, [Rows(number, np.arange(count), frames["row"][:count])] if count else []


def _mixed_rows(buffer: bytes, place: int, key_sets: Mapping[int, "KeySet"]) -> tuple[int, list[Rows]]:
    """Return rows as `good_rows` does, of several key sets in any order."""
    import numpy as np

    heads: dict[int, bytes] = {}
    sizes: dict[int, int] = {}
    found: dict[int, tuple[list[int], list[int]]] = {}  # by key set: places of payloads, and which row it is
    begin, last = place, len(buffer)
    unpack = _HEADS.unpack_from
    for order in range(MAX_SCANNED):
        if last - place < _HEADS.size:
            break
        head, _, number = unpack(buffer, place)
        if number not in heads:
            sizes[number] = key_sets[number].size if number in key_sets else 0
            heads[number] = _head_of(sizes[number]) if number in key_sets else b""
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
        starts, size = np.array(places), sizes[number]
        payloads = whole[starts[:, None] + np.arange(size)].view(f"V{size}").ravel()
        checks = whole[starts[:, None] + np.arange(-4, 0)].view("<u4").ravel()
        count = _count_good(payloads, checks)
        if count < len(places):
            bad = min(bad, places[count])
        rows.append((starts, Rows(number, np.array(orders), payloads)))
    kept = [(item, int((starts < bad).sum())) for starts, item in rows]
    return bad - HEAD.size - begin, [
        Rows(item.number, item.order[:count], item.payloads[:count]) for item, count in kept if count
    ]


def _head_of(size: int) -> bytes:
    """Return the first eight bytes of the frame of a row."""
    return MARK_OF_KIND[ROW] + _NUMBER.pack(size)


def _count_good(rows: "NDArray[np.void]", checks: "NDArray[np.uint32]") -> int:
    """Return how many rows of equal size, up to the first that is damaged, have their checksums.

    One call of zlib looks at all of them. A checksum is the remainder of a division, mixed with that of a row of
    zeros; without that, and behind its row, it makes the remainder zero. What a damaged row leaves is carried on by all
    good ones; another damaged one takes it away as seldom as a checksum fits by chance.
    """
    import numpy as np

    chain = np.empty(len(rows), [("row", rows.dtype), ("check", "<u4")])
    chain["row"], chain["check"] = rows, checks ^ np.uint32(crc32(bytes(rows.itemsize), _SEED))
    if crc32(chain.data, _NOTHING_LEFT) == _NOTHING_LEFT:
        return len(rows)
    return next(place for place, row in enumerate(rows) if crc32(row, _SEED) != checks[place])
