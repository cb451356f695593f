"""Points: rows of values that were logged together, gathered to columns, and summed up per key."""

import json
import math
import struct
from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from runlore.log import columns as log_columns

ROW_PREFIX = "Iqqd"  # key set, time in µs, step, epoch (NaN: none), then one float64 per key
BLOCK_BYTES = 1 << 20  # of raw rows, before they become a block of columns


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys that are logged together under one number, and the split that they belong to."""

    number: int
    keys: tuple[str, ...]
    split: str | None

    def encode(self) -> bytes:
        """The payload of the frame that defines it."""
        return json.dumps({"id": self.number, "keys": self.keys, "split": self.split}).encode()

    @classmethod
    def decode(cls, payload: bytes) -> "KeySet":
        """The key set that a frame defines."""
        item = json.loads(payload)
        return cls(item["id"], tuple(item["keys"]), item["split"])

    def row(self) -> struct.Struct:
        """The layout of a row of this key set."""
        return struct.Struct(f"<{ROW_PREFIX}{len(self.keys)}d")


class Block(NamedTuple):
    """Rows of one key set as columns of equal length: array("q") for the first three, array("d") for the rest."""

    keys: tuple[str, ...]
    split: str | None
    position: "array[int]"  # of each row among all rows of its file
    time: "array[int]"  # microseconds since 1970
    step: "array[int]"
    epoch: "array[float]"
    values: "list[array[float]]"  # one per key

    def encode(self) -> bytes:
        """The payload of a frame of columns."""
        packed = [log_columns.pack_integers(column) for column in (self.position, self.time, self.step)]
        packed += [log_columns.pack_floats(column) for column in (self.epoch, *self.values)]
        head = json.dumps(
            {
                "keys": self.keys,
                "split": self.split,
                "rows": len(self.step),
                "columns": [[encoding, len(data)] for encoding, data in packed],
            },
            separators=(",", ":"),
        ).encode()
        return b"".join([struct.pack("<I", len(head)), head, *(data for _, data in packed)])

    @classmethod
    def decode(cls, payload: bytes) -> "Block":
        """The block that a frame of columns holds."""
        head, columns = open_block(payload)
        position, time, step, epoch, *values = (
            log_columns.unpack(encoding, data, head["rows"]) for encoding, data in columns
        )
        return cls(tuple(head["keys"]), head["split"], position, time, step, epoch, values)


def open_block(payload: bytes) -> tuple[dict[str, Any], list[tuple[str, bytes]]]:
    """The head of a frame of columns, and each column still packed: position, time, step, epoch, values."""
    (size,) = struct.unpack_from("<I", payload)
    place = 4 + size
    head = json.loads(payload[4:place])
    columns = []
    for encoding, length in head["columns"]:
        columns.append((encoding, payload[place : place + length]))
        place += length
    return head, columns


@dataclass(slots=True)
class RowBuffer:
    """Raw rows of one key set, in the order they were written."""

    key_set: KeySet
    raw: bytearray = field(default_factory=bytearray)
    position: "array[int]" = field(default_factory=lambda: array("q"))
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = self.key_set.row().size

    def add(self, payload: bytes, position: int) -> None:
        """Take the payload of a row, the `position`-th of its file.

        Raises:
            ValueError: it has not the length of a row of this key set.
        """
        if len(payload) != self.size:
            raise ValueError(f"a row of {len(payload)} bytes, not {self.size}")
        self.raw += payload
        self.position.append(position)

    def drain(self) -> Block:
        """The rows as columns; the buffer is empty then."""
        _, time, step, epoch, *values = zip(*self.key_set.row().iter_unpack(self.raw), strict=True)
        block = Block(
            self.key_set.keys,
            self.key_set.split,
            self.position,
            array("q", time),
            array("q", step),
            array("d", epoch),
            [array("d", column) for column in values],
        )
        self.raw = bytearray()
        self.position = array("q")
        return block


@dataclass(slots=True)
class Tally:
    """What a series comes to. `min` and `max` leave NaN out (None: nothing else was there).

    `last` is the value at the highest step. While every step was higher than the one before, the tally is exact;
    otherwise a point may have superseded another, and the series has to be read to know.
    """

    split: str | None = None
    count: int = 0
    last: float = math.nan
    last_step: int = -1
    min: float | None = None
    max: float | None = None
    exact: bool = True
    first_time: int = 0
    last_time: int = 0

    def add(self, steps: "array[int]", values: "array[float]", times: "array[int]") -> None:
        """Take points in the order they were logged."""
        if (self.count and steps[0] <= self.last_step) or not all(a < b for a, b in pairwise(steps)):
            self.exact = False
        if steps[-1] >= self.last_step or not self.count:
            self.last, self.last_step = values[-1], steps[-1]
        self.first_time = self.first_time or times[0]
        self.last_time = max(self.last_time, times[-1])
        self.count += len(steps)
        self._widen(values)

    def _widen(self, values: "array[float]") -> None:
        low, high = min(values), max(values)
        if math.isnan(sum(values)):  # min and max can't be trusted beside a NaN
            numbers = [value for value in values if not math.isnan(value)]
            if not numbers:
                return
            low, high = min(numbers), max(numbers)
        self.min = low if self.min is None else min(self.min, low)
        self.max = high if self.max is None else max(self.max, high)

    def encode(self) -> list[Any]:
        """As a list that JSON can hold."""
        return [
            self.split,
            self.count,
            plain_float(self.last),
            self.last_step,
            None if self.min is None else plain_float(self.min),
            None if self.max is None else plain_float(self.max),
            self.exact,
            self.first_time,
            self.last_time,
        ]

    @classmethod
    def decode(cls, item: list[Any]) -> "Tally":
        """The tally of an encoded list."""
        split, count, last, last_step, low, high, exact, first_time, last_time = item
        low, high = (None if bound is None else float(bound) for bound in (low, high))
        return cls(split, count, float(last), last_step, low, high, exact, first_time, last_time)


def tally_block(tallies: dict[str, Tally], block: Block) -> None:
    """Add a block's points to the tallies of its keys."""
    for key, values in zip(block.keys, block.values, strict=True):
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = Tally(block.split)
        tally.add(block.step, values, block.time)


def plain_float(value: float) -> float | str:
    """A float that every reader of JSON takes: NaN and the infinities are spelled out."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def stored_key(name: Any, split: str | None) -> str:
    """The key that a metric is stored under: its own name, with the split before it unless that is "train"."""
    key = str(name)
    if split in (None, "", "train") or key.startswith((f"{split}_", f"{split}/")):
        return key
    return f"{split}/{key}"
