"""Points: rows of values that were logged together, gathered to blocks of columns, and tallied by key."""

import math
import struct
import sys
from array import array
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from runlore.log import columns
from runlore.log.frames import MAX_PAYLOAD, DecodeError, are_texts, dump_json, is_int64, load_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROW_PREFIX = "Iqqd"  # key set, time in µs, step, epoch (NaN: none), then one float64 for each key
BLOCK_BYTES = 1 << 20  # of raw rows that become a block of columns
MAX_KEYS = 100_000  # of metrics in one file
MAX_KEY = 64 << 10  # characters
_KEY_SETS = 1 << 32  # numbers of key sets are below this
_NUMBER = struct.Struct("<I")
_PREFIX_BYTES = struct.calcsize(f"<{ROW_PREFIX}")

Bounds = tuple[float | None, float | None]
Unpack = Callable[[str, bytes, int], Any]  # encoding, bytes and rows to a column: one of `columns.unpack…`


class KeySet(NamedTuple):
    """Keys that are logged together under one number, and the split that they belong to."""

    number: int
    keys: tuple[str, ...]
    split: str | None

    def encode(self) -> bytes:
        """Return the payload of the frame that defines it."""
        return dump_json({"id": self.number, "keys": self.keys, "split": self.split})

    @classmethod
    def decode(cls, payload: bytes) -> "KeySet":
        """Return the key set that a frame defines.

        Raises:
            DecodeError: the frame does not hold one.
        """
        item = load_json(payload)
        if not isinstance(item, dict):
            raise DecodeError("a key set is no JSON object")
        return cls.checked(item.get("id"), item.get("keys"), item.get("split"))

    @classmethod
    def checked(cls, number: Any, keys: Any, split: Any) -> "KeySet":
        """Return the key set made of JSON values.

        Raises:
            DecodeError: they are not a number, a list of texts, and a text or null.
        """
        if not is_int64(number) or not 0 <= number < _KEY_SETS or not are_texts(keys) or not _is_split(split):
            raise DecodeError("a key set has not a number, a list of keys, and a split or none")
        if len(max(keys, key=len, default="")) > MAX_KEY:
            raise DecodeError(f"a key has more than {MAX_KEY:,} characters")
        return cls(number, tuple(keys), split)

    @property
    def size(self) -> int:
        """The bytes of a row."""
        return _PREFIX_BYTES + 8 * len(self.keys)

    def row(self) -> struct.Struct:
        """Return the layout of a row."""
        return struct.Struct(f"<{ROW_PREFIX}{len(self.keys)}d")


class Points(NamedTuple):
    """Points of one key as columns of equal length, in the order they were logged."""

    key: str
    split: str | None
    position: Any  # of each row among all rows of its file; like the other columns an array, or one of numpy's
    time: Any  # µs since 1970
    step: Any
    epoch: Any  # NaN: none
    value: Any


class Block(NamedTuple):
    """Rows of one key set as columns of equal length: array("q") for the first three, array("d") for the rest.

    They may be numpy's arrays of the same types.
    """

    keys: tuple[str, ...]
    split: str | None
    position: Any  # of each row among all rows of its file
    time: Any  # µs since 1970
    step: Any
    epoch: Any
    values: list[Any]  # one for each key

    def encode(self) -> bytes:
        """Return the payload of a frame of columns."""
        packed = [columns.pack_integers(column) for column in (self.position, self.time, self.step)]
        packed += [columns.pack_floats(column) for column in (self.epoch, *self.values)]
        head = dump_json(
            {
                "keys": self.keys,
                "split": self.split,
                "rows": len(self.step),
                "columns": [[encoding, len(data)] for encoding, data in packed],
            }
        )
        return b"".join([_NUMBER.pack(len(head)), head, *(data for _, data in packed)])

    @classmethod
    def decode(cls, payload: bytes) -> "Block":
        """Return the block that a frame of columns holds.

        Raises:
            DecodeError: the frame does not hold one.
        """
        packed = PackedBlock.decode(payload)
        position, time, step, epoch, *values = (
            columns.unpack(encoding, data, packed.rows) for encoding, data in packed.columns
        )
        return cls(packed.keys, packed.split, position, time, step, epoch, values)

    def points(self, wanted: Collection[str]) -> "Iterator[Points]":
        """Iterate over the points of some keys."""
        for key, value in zip(self.keys, self.values, strict=True):
            if key in wanted:
                yield Points(key, self.split, self.position, self.time, self.step, self.epoch, value)


class PackedBlock(NamedTuple):
    """A block whose columns are still packed: position, time, step, epoch, and one for each key."""

    keys: tuple[str, ...]
    split: str | None
    rows: int
    columns: list[tuple[str, bytes]]  # encoding and bytes

    @classmethod
    def decode(cls, payload: bytes) -> "PackedBlock":
        """Return the block that a frame of columns holds.

        Raises:
            DecodeError: the frame does not hold one.
        """
        if len(payload) < _NUMBER.size:
            raise DecodeError(f"a frame of columns has {len(payload)} bytes")
        (size,) = _NUMBER.unpack_from(payload)
        place = _NUMBER.size + size
        head = load_json(payload[_NUMBER.size : place])
        if not isinstance(head, dict):
            raise DecodeError("the head of a block is no JSON object")
        key_set = KeySet.checked(0, head.get("keys"), head.get("split"))
        rows: Any = head.get("rows")
        size = key_set.size
        if not is_int64(rows) or rows < 1 or (rows - 1) * size > BLOCK_BYTES or size > MAX_PAYLOAD:
            raise DecodeError("a block has no rows, or more than fit into one")
        packed = []
        for encoding, length in _columns_of(head.get("columns"), len(key_set.keys)):
            packed.append((encoding, payload[place : place + length]))
            place += length
        if place != len(payload):
            raise DecodeError(f"a block of {len(payload)} bytes has columns up to byte {place}")
        return cls(key_set.keys, key_set.split, rows, packed)

    def points(self, wanted: Collection[str], unpack: Unpack, lost: set[str]) -> Iterator[Points]:
        """Iterate over the points of some keys; no other key's column is unpacked. Damaged ones are added to `lost`.

        Raises:
            DecodeError: a column that all keys share can't be unpacked.
        """
        position, time, step, epoch = (unpack(*column, self.rows) for column in self.columns[:4])
        for key, column in zip(self.keys, self.columns[4:], strict=True):
            if key in wanted:
                try:
                    value = unpack(*column, self.rows)
                except DecodeError:
                    lost.add(key)
                else:
                    yield Points(key, self.split, position, time, step, epoch, value)


def _columns_of(value: Any, keys: int) -> list[tuple[str, int]]:
    """Return encoding and bytes of a block's columns, by its head."""
    kinds = [columns.INTEGERS] * 3 + [columns.FLOATS] * (1 + keys)
    if not isinstance(value, list) or len(value) != len(kinds):
        raise DecodeError(f"a block of {keys} keys has not {len(kinds)} columns")
    for item, encodings in zip(value, kinds, strict=True):
        good = isinstance(item, list) and len(item) == 2 and item[0] in encodings
        if not good or not is_int64(item[1]) or item[1] < 0:
            raise DecodeError("a column of a block has not an encoding of its kind and a length")
    return [(encoding, length) for encoding, length in value]


class RowBuffer:
    """Raw rows of one key set, in the order they were written."""

    __slots__ = ("key_set", "most", "position", "raw", "size")

    def __init__(self, key_set: KeySet) -> None:
        self.key_set = key_set
        self.raw = bytearray()
        self.position = array("q")
        self.size = key_set.size
        self.most = BLOCK_BYTES // self.size + 1  # rows of a block

    def add(self, payload: bytes, position: int) -> None:
        """Take the payload of a row; `position` counts the rows before it in its file.

        Raises:
            DecodeError: it has not the length of a row of this key set.
        """
        if len(payload) != self.size:
            raise DecodeError(f"a row has {len(payload)} bytes, not {self.size}")
        self.raw += payload
        self.position.append(position)

    def extend(self, raw: bytes, position: "NDArray[np.int64]") -> None:
        """Take rows, no more than there is `room` for."""
        self.raw += raw
        self.position.frombytes(position.tobytes())

    @property
    def room(self) -> int:
        """The number of rows that are missing in a whole block."""
        return self.most - len(self.position)

    def drain(self) -> Block:
        """Return the rows as columns, and empty the buffer."""
        raw, position = self.raw, self.position
        self.raw, self.position = bytearray(), array("q")
        keys, split = self.key_set.keys, self.key_set.split
        if "numpy" in sys.modules:
            return Block(keys, split, *_columns(raw, position, len(keys)))
        _, time, step, epoch, *values = zip(*self.key_set.row().iter_unpack(raw), strict=True)
        columns = [array("d", column) for column in values]
        return Block(keys, split, position, array("q", time), array("q", step), array("d", epoch), columns)


def _columns(raw: bytearray, position: "array[int]", keys: int) -> tuple[Any, ...]:
    import numpy as np

    form = np.dtype([("set", "<u4"), ("time", "<i8"), ("step", "<i8"), ("epoch", "<f8"), ("values", "<f8", (keys,))])
    rows = np.frombuffer(raw, form)
    time, step, epoch = (np.ascontiguousarray(rows[name]) for name in ("time", "step", "epoch"))
    return np.frombuffer(position, np.int64), time, step, epoch, list(np.ascontiguousarray(rows["values"].T))


def row_number(payload: bytes) -> int:
    """Return the number of a row's key set.

    Raises:
        DecodeError: the payload is too short.
    """
    if len(payload) < _NUMBER.size:
        raise DecodeError(f"a row has {len(payload)} bytes")
    return int(_NUMBER.unpack_from(payload)[0])


class Tally:
    """Count, last value, bounds and times of a series. `min` and `max` leave NaN out; None: there is nothing else.

    `last` is the value at the highest step. A tally is exact while every step was higher than the one before;
    otherwise a point may have superseded another, which only the series itself can tell.
    """

    __slots__ = ("count", "exact", "first_step", "first_time", "last", "last_step", "last_time", "max", "min", "split")

    def __init__(self, split: str | None = None) -> None:
        self.split = split
        self.count = 0
        self.last = math.nan
        self.last_step = -1
        self.first_step: int | None = None  # of a log, the one logged first
        self.min: float | None = None
        self.max: float | None = None
        self.exact = True
        self.first_time = 0  # µs since 1970
        self.last_time = 0

    @classmethod
    def of(cls, split: str | None, count: int, last: tuple[int, float], bounds: Bounds) -> "Tally":
        """Return an exact tally of points without times; `last` is step and value of the last one."""
        tally = cls(split)
        tally.count = count
        tally.last_step, tally.last = last
        tally.min, tally.max = bounds
        return tally

    def add(self, steps: "array[int]", values: "array[float]", times: "array[int]") -> None:
        """Add points, at least one, in the order they were logged."""
        if (self.count and steps[0] <= self.last_step) or not all(a < b for a, b in pairwise(steps)):
            self.exact = False
        if steps[-1] >= self.last_step or not self.count:
            self.last, self.last_step = values[-1], steps[-1]
        self.first_step = self.first_step if self.count else steps[0]
        self.first_time = self.first_time or times[0]
        self.last_time = max(self.last_time, times[-1])
        self.count += len(steps)
        self._widen(values)

    def add_arrays(self, steps: "NDArray[np.int64]", values: "NDArray[np.float64]", times: "NDArray[np.int64]") -> None:
        """Add points, at least one, in the order they were logged."""
        if (self.count and steps[0] <= self.last_step) or not bool((steps[1:] > steps[:-1]).all()):
            self.exact = False
        if steps[-1] >= self.last_step or not self.count:
            self.last, self.last_step = float(values[-1]), int(steps[-1])
        self.first_step = self.first_step if self.count else int(steps[0])
        self.first_time = self.first_time or int(times[0])
        self.last_time = max(self.last_time, int(times[-1]))
        self.count += len(steps)
        numbers = values[values == values]  # noqa: PLR0124  # only NaN differs from itself
        if len(numbers):
            low, high = float(numbers.min()), float(numbers.max())
            self.min = low if self.min is None else min(self.min, low)
            self.max = high if self.max is None else max(self.max, high)

    def _widen(self, values: "array[float]") -> None:
        low, high = min(values), max(values)
        if math.isnan(sum(values)):  # beside a NaN min and max can't be trusted
            numbers = [value for value in values if not math.isnan(value)]
            if not numbers:
                return
            low, high = min(numbers), max(numbers)
        self.min = low if self.min is None else min(self.min, low)
        self.max = high if self.max is None else max(self.max, high)

    def encode(self) -> list[Any]:
        """Return the tally as a list for JSON, but for the first step, which no sealed file holds."""
        low, high = (None if bound is None else plain_float(bound) for bound in (self.min, self.max))
        last = plain_float(self.last), self.last_step
        return [self.split, self.count, *last, low, high, self.exact, self.first_time, self.last_time]

    @classmethod
    def decode(cls, item: Any) -> "Tally":
        """Return the tally of an encoded list.

        Raises:
            DecodeError: it is none.
        """
        if not isinstance(item, list) or len(item) not in (9, 10):
            raise DecodeError("a tally is not a list of nine items, or ten")
        split, count, last, last_step, low, high, exact, first_time, last_time, *more = item
        whole = is_int64(count) and count >= 0 and is_int64(last_step) and is_int64(first_time) and is_int64(last_time)
        if not whole or not _is_split(split) or type(exact) is not bool:
            raise DecodeError("a tally is not a list of nine items of their types")
        bounds = None if low is None else _float_of(low), None if high is None else _float_of(high)
        tally = cls.of(split, count, (last_step, _float_of(last)), bounds)
        tally.exact, tally.first_time, tally.last_time = exact, first_time, last_time
        tally.first_step = next((step for step in more if is_int64(step)), None)
        return tally


def check_room(known: Collection[str], keys: Collection[str]) -> None:
    """Check that a file whose keys are `known` has room for others.

    Raises:
        DecodeError: it has not.
    """
    if len(known) + len(keys) > MAX_KEYS and len({*known, *keys}) > MAX_KEYS:
        raise DecodeError(f"a file has room for the points of {MAX_KEYS:,} keys")


def tally_block(tallies: dict[str, Tally], block: Block) -> None:
    """Add a block's points to the tallies of its keys."""
    for key, values in zip(block.keys, block.values, strict=True):
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = Tally(block.split)
        if isinstance(values, array):
            tally.add(block.step, values, block.time)
        else:
            tally.add_arrays(block.step, values, block.time)


def tally_packed(tallies: dict[str, Tally], block: PackedBlock) -> None:
    """Add the points of a block that is still packed to the tallies of its keys.

    Raises:
        DecodeError: a column can't be unpacked; nothing was added.
    """
    _, times, steps, _, *columns_of_keys = (columns.unpack_numpy(*column, block.rows) for column in block.columns)
    for key, values in zip(block.keys, columns_of_keys, strict=True):
        tallies.setdefault(key, Tally(block.split)).add_arrays(steps, values, times)


def plain_float(value: float) -> float | str:
    """Return a float as every reader of JSON takes it: NaN and the infinities are spelled out."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def stored_key(name: Any, split: str | None) -> str:
    """Return the key that a metric is stored under: its name, with the split before it unless that is "train"."""
    key = str(name)
    if split in (None, "", "train") or key.startswith((f"{split}_", f"{split}/")):
        return key
    return f"{split}/{key}"


def _float_of(value: Any) -> float:
    """Return the float that `plain_float` gave."""
    if type(value) is float:
        return value
    if value in ("NaN", "Infinity", "-Infinity") or type(value) in (int, float):
        try:
            return float(value)
        except OverflowError:
            pass
    raise DecodeError("a tally has a value that is no number")


def _is_split(value: Any) -> bool:
    return value is None or isinstance(value, str)
