"""Reading one writer's file: a log that may still grow, or a sealed one."""

import io
import os
import struct
import sys
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

from runlore._frozen import fresh, late
from runlore._inside import is_hollow, open_binary, read_bytes
from runlore.log import columns, frames
from runlore.log.events import Event, Room, first_of
from runlore.log.frames import Damage, Damages, DecodeError, FrameReader, is_int64
from runlore.log.liveness import Life
from runlore.log.points import PackedBlock, Points, Tally, Unpack, check_room, tally_packed
from runlore.log.replay import Replay, damage_of, fields_of, lists_of, tallies_of

TRAILER = struct.Struct("<QQ8s")  # offsets of the first event and of the footer, and the mark
TRAILER_MARK = b"RLSEALED"
WHOLE_BYTES = 1 << 16  # sealed files below this size are read at once
HELD_BYTES = 1 << 13  # blocks of such a file that are held, so that it is opened once and not for each series
FREE_ROWS = 11_000_000  # that a reader takes of a sealed file at a time, and one more for each byte of it
VALUES_OF_BYTE = 4  # of all keys that are asked for at a time


@late
class Content:
    """The content of one writer's file but for its points, which `points` reads."""

    path: Path
    ordinal: int
    events: list[Event]
    tallies: dict[str, Tally]
    damage: list[Damage]
    orphans: int = 0  # rows whose key set could not be read
    chunks: "list[tuple[int, frozenset[str]]] | None" = None  # offsets and keys of a sealed file's blocks, if known
    replay: Replay | None = None  # of a log
    life: Life = Life.DEAD  # of the writer
    log_bytes: int | None = None  # of the log that a sealed file was made of, if known
    damaged_blocks: dict[int, set[str]] = fresh(factory=dict)  # those found: keys lost by offset
    blocks: bytes = b""  # what stands before the events of a small sealed file

    @property
    def sealed(self) -> bool:
        """True for a sealed file, False for a log, which may grow."""
        return self.path.name.endswith(".run")

    @property
    def opening(self) -> Event:
        """The event that opens the file; empty if it is lost."""
        return first_of("open", self.events) or {}

    @property
    def end(self) -> Event | None:
        """The end record, if one was written."""
        return first_of("end", reversed(self.events))

    @property
    def damaged_bytes(self) -> int:
        """The bytes that are damage; those of a frame that a dead writer never completed are none."""
        replay = self.replay
        broken = replay.tail if replay is not None and replay.broken and self.life is Life.DEAD else 0
        return broken + sum(item.length for item in self.damage)

    @property
    def last_time(self) -> int:
        """The time of its newest event or point, in µs since 1970."""
        times = [event["time"] for event in self.events]
        return max([*times, *(tally.last_time for tally in self.tallies.values())], default=0)

    def damages(self) -> list[str]:
        """Return where the file is damaged, and what is wrong there, as far as that is known."""
        places = [f"{self.path.name}, bytes {item.offset} to {item.offset + item.length}" for item in self.damage]
        return [place + (f": {item.why}" if item.why else "") for place, item in zip(places, self.damage, strict=True)]

    def points(self, wanted: Collection[str], unpack: Unpack = columns.unpack) -> Iterator[Points]:
        """Iterate over the points of some keys, a block at a time; no other key's column is unpacked.

        Damaged blocks are left out; `lost_blocks` tells afterwards how many.

        Raises:
            FileNotFoundError: the file was removed meanwhile.
        """
        if self.sealed:
            yield from self._sealed_points(wanted, unpack)
            return
        try:
            file = open_binary(self.path)
        except FileNotFoundError:  # it was sealed meanwhile
            yield from read_sealed(self.path.with_suffix(".run"), self.ordinal).points(wanted, unpack)
            return
        with file:
            for block in Replay().blocks(file):
                yield from block.points(wanted)

    def lost_blocks(self, key: str) -> int:
        """Return the number of blocks with points of a key that were found damaged when they were read."""
        return sum(key in keys and key in self.damaged_blocks.get(offset, ()) for offset, keys in self.chunks or ())

    def count_values(self, wanted: Collection[str]) -> int:
        """Return how many values `points` reads of some keys, those that others supersede included."""
        if not self.sealed:
            return sum(self.tallies[key].count for key in wanted if key in self.tallies)
        blocks = (_values_in(payload, wanted) for _, payload in self._block_frames(wanted))
        return min(sum(blocks), _Points(self.path).values)

    def _sealed_points(self, wanted: Collection[str], unpack: Unpack) -> Iterator[Points]:
        room = _Points(self.path, len(self.blocks))
        for offset, payload in self._block_frames(wanted):
            lost: set[str] = set()
            try:
                block = PackedBlock.decode(payload or b"")
                room.take(block.rows, _values_of(block, wanted))
                yield from block.points(wanted, unpack, lost)
            except DecodeError:
                lost.update(wanted)
            if lost and self.chunks is not None:  # else the damage was noted when the file was read
                self.damaged_blocks[offset] = lost | self.damaged_blocks.get(offset, set())

    def _block_frames(self, wanted: Collection[str]) -> Iterator[tuple[int, bytes | None]]:
        """Iterate over offset and payload of the frames that may hold a wanted key; None: the frame is damaged."""
        with io.BytesIO(self.blocks) if self.blocks else open_binary(self.path) as file:
            if self.chunks is None:
                reader = FrameReader(file, frames.SIGNATURE_SIZE)
                yield from ((reader.offset, payload) for kind, payload in reader if kind == frames.COLUMNS)
            chunks = self.chunks or []
            ends = [at for at, _ in chunks[1:]] + [file.seek(0, 2)]
            for (at, keys), end in zip(chunks, ends, strict=False):
                if not keys.isdisjoint(wanted):
                    yield at, frames.read_frame(file, at, end)


class _Points:
    """The room that is left for points of a sealed file, so that reading them ends.

    An honest file has about a byte at least for each row, as no two times are the same; one of a few hundred bytes
    could tell of any number.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        size = size or path.stat().st_size
        if size > FREE_ROWS:
            with open_binary(path) as file:
                size = 0 if is_hollow(file.fileno()) else size
        self.rows = FREE_ROWS + size
        self.values = FREE_ROWS + VALUES_OF_BYTE * size

    def take(self, rows: int, values: int) -> None:
        """Take the room of a block.

        Raises:
            DecodeError: there is not enough.
        """
        self.rows -= rows
        self.values -= values
        if self.rows < 0 or self.values < 0:
            raise DecodeError("the file has more points than its size allows for")


def _values_in(payload: bytes | None, wanted: Collection[str]) -> int:
    """Return how many values of some keys a block has by its head; none where that is damaged."""
    try:
        return _values_of(PackedBlock.decode(payload or b""), wanted)
    except DecodeError:
        return 0


def _values_of(block: PackedBlock, wanted: Collection[str]) -> int:
    """Return how many values of some keys a block has."""
    return block.rows * sum(key in wanted for key in block.keys)


def read_log(path: Path, ordinal: int, replay: Replay | None = None) -> Content:
    """Read a log, from its beginning or from where `replay` stopped, or not at all if that is settled.

    Raises:
        FormatError: the file is of a newer format.
        FileNotFoundError: it was sealed or removed meanwhile.
    """
    from runlore.log.long.rows import want_numpy  # which only readers of logs need

    if replay is not None and replay.settled:
        return _content_of(path, ordinal, replay)
    with open_binary(path) as file:
        size = os.fstat(file.fileno()).st_size
        replay = None if replay is not None and size < replay.offset else replay  # it is another file
        want_numpy(size - (replay.offset if replay else 0))
        if replay is None and "numpy" in sys.modules:
            from runlore.log.long.growth import known_replay  # which needs it

            replay = known_replay(path, file)
        (replay := replay or Replay()).advance(file)
    return _content_of(path, ordinal, replay)


def _content_of(path: Path, ordinal: int, replay: Replay) -> Content:
    events = [event for _, event in replay.events]
    return Content(path, ordinal, events, replay.tallies, replay.damage, replay.orphans, replay=replay)


def read_sealed(path: Path, ordinal: int, above: int | None = None) -> Content:
    """Read a sealed file but for its points; for `above` see `open_binary`.

    Raises:
        FormatError: the file is of a newer format.
        FileNotFoundError: it was removed meanwhile.
    """
    head = read_bytes(path, None, WHOLE_BYTES, above=above)
    if not frames.check_signature(head, frames.SEALED_SIGNATURE, path.name):
        return _read_damaged(path, ordinal)
    try:
        return _read_small(path, ordinal, head) if len(head) < WHOLE_BYTES else _read_large(path, ordinal, above)
    except DecodeError:
        return _read_damaged(path, ordinal)


def _read_small(path: Path, ordinal: int, whole: bytes) -> Content:
    """Read a sealed file of which this is the content.

    Raises:
        DecodeError: its end is damaged, or a frame of its events.
    """
    start = _start_of(whole[-TRAILER.size :], len(whole))
    events, footer = _read_events(io.BytesIO(whole), start, whole)
    return footer.content(path, ordinal, events, whole[:start] if start <= HELD_BYTES else b"")


def _read_large(path: Path, ordinal: int, above: int | None) -> Content:
    """Read a sealed file whose content is not held.

    Raises:
        DecodeError: its end is damaged, or a frame of its events.
    """
    with open_binary(path, above=above) as file:
        size = file.seek(0, 2)
        file.seek(-TRAILER.size, 2)
        start = _start_of(file.read(), size)
        if is_hollow(file.fileno()):
            raise DecodeError("the file is mostly holes")
        events, footer = _read_events(file, start, b"")
    return footer.content(path, ordinal, events)


def _start_of(trailer: bytes, size: int) -> int:
    """Return where the events of a sealed file of some bytes begin.

    Raises:
        DecodeError: the trailer is none.
    """
    if len(trailer) == TRAILER.size and trailer.endswith(TRAILER_MARK):
        start, footer_at, _ = TRAILER.unpack(trailer)
        if start <= footer_at <= size:
            return int(start)
    raise DecodeError("the file has no trailer")


class Footer(NamedTuple):
    """The footer of a sealed file; it only repeats what the other frames hold."""

    tallies: dict[str, Tally]
    damage: Damages
    orphans: int
    chunks: list[tuple[int, frozenset[str]]]
    log_bytes: int | None

    def content(self, path: Path, ordinal: int, events: list[Event], blocks: bytes = b"") -> Content:
        """Return the content of its file."""
        found = Content(path, ordinal, events, self.tallies, self.damage, self.orphans, self.chunks)
        found.log_bytes, found.blocks = self.log_bytes, blocks
        return found

    @classmethod
    def decode(cls, payload: bytes) -> "Footer":
        """Return the footer that a frame holds.

        Raises:
            DecodeError: the frame does not hold one.
        """
        item = fields_of(frames.load_json(payload), "orphans")
        key_sets = item.get("key_sets")
        chunks = lists_of(item, "chunks", 2)
        if not isinstance(key_sets, list) or not all(map(frames.are_texts, key_sets)):
            raise DecodeError("a footer has key sets that are none")
        for offset, number in chunks:
            if not is_int64(offset) or offset < 0 or not is_int64(number) or not 0 <= number < len(key_sets):
                raise DecodeError("a footer names a block that can't be")
        if not all(before[0] < after[0] for before, after in pairwise(chunks)):
            raise DecodeError("a footer names a block twice")
        keys = [frozenset(keys) for keys in key_sets]
        blocks = [(offset, keys[number]) for offset, number in chunks]
        size = item.get("log_bytes")
        return cls(tallies_of(item), damage_of(item), item["orphans"], blocks, size if is_int64(size) else None)


def _read_events(file: BinaryIO, start: int, whole: bytes) -> tuple[list[Event], Footer]:
    """Read the events of a sealed file, and the footer behind them; events that can't be used are added to its damage.

    `whole` is the content of a small file.

    Raises:
        DecodeError: a frame of them is damaged, or the footer.
    """
    events: list[Event] = []
    footer: Footer | None = None
    room = Room()
    foreign = Damages()
    reader = FrameReader(file, start)
    found = frames.whole_frames(whole, start, len(whole) - TRAILER.size) if whole else None
    for kind, payload in reader if found is None else found:
        if kind == frames.EVENT:
            try:
                events.append(room.load(payload))
            except DecodeError as error:
                if found is not None:
                    return _read_events(file, start, b"")  # which knows where it lies
                foreign.note(Damage(reader.offset - len(payload), len(payload), str(error)))
                reader.check_in_vain()
        elif kind == frames.FOOTER:
            footer = Footer.decode(payload)
    if footer is None or reader.damage:
        raise DecodeError("events or the footer are damaged")
    footer.damage.note(*foreign)
    return events, footer


def _read_damaged(path: Path, ordinal: int) -> Content:
    """Read a sealed file whose footer, events or trailer are damaged: all its good frames count."""
    events: list[Event] = []
    tallies: dict[str, Tally] = {}
    foreign = Damages()
    room = Room()
    points = _Points(path)
    with open_binary(path) as file:
        reader = FrameReader(file, frames.SIGNATURE_SIZE)
        for kind, payload in reader:
            try:
                if kind == frames.EVENT:
                    events.append(room.load(payload))
                elif kind == frames.COLUMNS:
                    block = PackedBlock.decode(payload)
                    points.take(block.rows, block.rows * len(block.keys))
                    check_room(tallies, block.keys)
                    tally_packed(tallies, block)
            except DecodeError as error:
                foreign.note(Damage(reader.offset - len(payload), len(payload), str(error)))
                reader.check_in_vain()
    reader.damage.note(*foreign)
    return Content(path, ordinal, events, tallies, reader.damage or [Damage(reader.offset, reader.tail)])
