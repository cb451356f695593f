"""Reading one writer's file: a log that may still grow, or a sealed one."""

import json
import struct
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from runlore.log import columns, frames
from runlore.log.events import Event, check_event, load_event
from runlore.log.frames import Damage, DecodeError, FrameReader, is_int64
from runlore.log.liveness import Life
from runlore.log.points import (
    BLOCK_BYTES,
    Block,
    KeySet,
    PackedBlock,
    Points,
    RowBuffer,
    Tally,
    Unpack,
    row_number,
    tally_block,
)

TRAILER = struct.Struct("<QQ8s")  # offsets of the first event and of the footer, and the mark
TRAILER_MARK = b"RLSEALED"
WHOLE_BYTES = 1 << 16  # sealed files below this size are read at once


@dataclass(slots=True)
class Replay:
    """The content of a log as far as it was read. `advance` goes on from there, in another process, too (`encode`)."""

    offset: int = frames.SLOT_END
    rows: int = 0
    key_sets: dict[int, KeySet] = field(default_factory=dict)
    events: list[tuple[int, Event]] = field(default_factory=list)  # each with the number of rows before it
    tallies: dict[str, Tally] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)
    tail: int = 0  # bytes behind the last good frame
    broken: bool = False  # True if the tail is damage, and no frame that was never completed
    orphans: int = 0  # rows whose key set could not be read
    raw_events: list[bytes] | None = None  # a list here collects the payloads of the events

    def advance(self, file: BinaryIO, on_block: Callable[[Block], None] | None = None) -> None:
        """Read what was appended. `on_block` gets the new rows, in blocks of one key set and of bounded size.

        Raises:
            FormatError: the file is of a newer format.
        """
        head = self._check_head(file)
        reader = FrameReader(file, self.offset)
        gathering = _Gathering(self, on_block)
        for kind, payload in reader:
            try:
                if kind == frames.ROW:
                    gathering.add_row(payload)
                elif kind == frames.KEYS:
                    gathering.define(KeySet.decode(payload))
                elif kind == frames.EVENT:
                    self._add_event(payload)
            except DecodeError:
                size = frames.HEAD.size + len(payload)
                self.damage.append(Damage(reader.offset - size, size))
        self.orphans += gathering.end()
        self.offset = reader.offset
        self.damage += reader.damage
        self.tail = reader.tail
        self.broken = reader.broken and reader.tail > 0
        self._add_slot(head)

    @property
    def end(self) -> Event | None:
        """The end record, if one was written."""
        return next((event for _, event in reversed(self.events) if event["type"] == "end"), None)

    def encode(self) -> str:
        """Return the replay as JSON, for the index to keep."""
        return json.dumps(
            {
                "offset": self.offset,
                "rows": self.rows,
                "key_sets": [[item.number, item.keys, item.split] for item in self.key_sets.values()],
                "events": self.events,
                "tallies": {key: tally.encode() for key, tally in self.tallies.items()},
                "damage": [[item.offset, item.length] for item in self.damage],
                "orphans": self.orphans,
            }
        )

    @classmethod
    def decode(cls, text: str) -> "Replay":
        """Return the replay that was encoded.

        Raises:
            DecodeError: the text is not what `encode` returns.
        """
        item = _fields_of(frames.load_json(text.encode(errors="surrogatepass")), "offset", "rows", "orphans")
        key_sets = [KeySet.checked(*fields) for fields in _lists_of(item, "key_sets", 3)]
        return cls(
            offset=item["offset"],
            rows=item["rows"],
            key_sets={key_set.number: key_set for key_set in key_sets},
            events=[(position, check_event(event)) for position, event in _lists_of(item, "events", 2)],
            tallies=_tallies_of(item),
            damage=_damage_of(item),
            orphans=item["orphans"],
        )

    def _check_head(self, file: BinaryIO) -> bytes:
        file.seek(0)
        head = file.read(frames.SLOT_END)
        if not frames.check_signature(head, frames.LOG_SIGNATURE, Path(file.name).name) and not self.damage:
            self.damage.append(Damage(0, frames.SIGNATURE_SIZE))
        return head

    def _add_event(self, payload: bytes) -> None:
        self.events.append((self.rows, load_event(payload)))
        if self.raw_events is not None:
            self.raw_events.append(payload)

    def _add_slot(self, head: bytes) -> None:
        """Take the end record from the reserved room, which counts where the log itself has none."""
        payload = frames.slot_frame(head)
        if payload is None or self.end is not None:
            return
        try:
            is_end = load_event(payload)["type"] == "end"
        except DecodeError:
            is_end = False
        damage = Damage(frames.SIGNATURE_SIZE, frames.HEAD.size + len(payload))
        if is_end:
            self._add_event(payload)
        elif damage not in self.damage:
            self.damage.append(damage)


class _Gathering:
    """Turns rows into blocks, one key set at a time."""

    def __init__(self, replay: Replay, on_block: Callable[[Block], None] | None) -> None:
        self._replay = replay
        self._on_block = on_block
        self._buffers = {number: RowBuffer(key_set) for number, key_set in replay.key_sets.items()}
        self._waiting: dict[int, list[tuple[bytes, int]]] = {}  # rows whose definition was damaged: it comes again
        self._misfits = 0

    def add_row(self, payload: bytes) -> None:
        """Take a row.

        Raises:
            DecodeError: it is too short, or has not the length that its key set says.
        """
        number = row_number(payload)
        buffer = self._buffers.get(number)
        if buffer is None:
            self._waiting.setdefault(number, []).append((payload, self._replay.rows))
        else:
            self._add(buffer, payload, self._replay.rows)
        self._replay.rows += 1

    def define(self, key_set: KeySet) -> None:
        """Take a definition, and the rows that waited for it.

        Raises:
            DecodeError: the number is defined already, as other keys.
        """
        if self._replay.key_sets.setdefault(key_set.number, key_set) != key_set:
            raise DecodeError(f"key set {key_set.number} is defined again, as other keys")
        buffer = self._buffers.setdefault(key_set.number, RowBuffer(key_set))
        for payload, position in self._waiting.pop(key_set.number, ()):
            try:
                self._add(buffer, payload, position)
            except DecodeError:
                self._misfits += 1

    def end(self) -> int:
        """Hand out the last blocks; return the number of rows that no definition fits."""
        for buffer in self._buffers.values():
            if buffer.raw:
                self._flush(buffer)
        return self._misfits + sum(map(len, self._waiting.values()))

    def _add(self, buffer: RowBuffer, payload: bytes, position: int) -> None:
        buffer.add(payload, position)
        if len(buffer.raw) > BLOCK_BYTES:
            self._flush(buffer)

    def _flush(self, buffer: RowBuffer) -> None:
        block = buffer.drain()
        tally_block(self._replay.tallies, block)
        if self._on_block is not None:
            self._on_block(block)


@dataclass(slots=True)
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
    damaged_blocks: dict[int, set[str]] = field(default_factory=dict)  # those found: keys lost by offset

    @property
    def sealed(self) -> bool:
        """True for a sealed file, False for a log, which may grow."""
        return self.path.suffix == ".run"

    @property
    def opening(self) -> Event:
        """The event that opens the file; empty if it is lost."""
        return next((event for event in self.events if event["type"] == "open"), {})

    @property
    def end(self) -> Event | None:
        """The end record, if one was written."""
        return next((event for event in reversed(self.events) if event["type"] == "end"), None)

    def points(self, wanted: Collection[str], unpack: Unpack = columns.unpack) -> Iterator[Points]:
        """Iterate over the points of some keys, a block at a time; no other key's column is unpacked.

        Damaged blocks are left out; `lost_blocks` tells afterwards how many.

        Raises:
            FileNotFoundError: the file was removed meanwhile.
        """
        if self.sealed:
            yield from self._sealed_points(wanted, unpack)
            return
        found: list[Points] = []
        try:
            with self.path.open("rb") as file:
                Replay().advance(file, lambda block: found.extend(block.points(wanted)))
        except FileNotFoundError:  # it was sealed meanwhile
            yield from read_sealed(self.path.with_suffix(".run"), self.ordinal).points(wanted, unpack)
            return
        yield from found

    def lost_blocks(self, key: str) -> int:
        """Return the number of blocks with points of a key that were found damaged when they were read."""
        return sum(key in keys and key in self.damaged_blocks.get(offset, ()) for offset, keys in self.chunks or ())

    def _sealed_points(self, wanted: Collection[str], unpack: Unpack) -> Iterator[Points]:
        for offset, payload in self._block_frames(wanted):
            lost: set[str] = set()
            try:
                yield from PackedBlock.decode(payload or b"").points(wanted, unpack, lost)
            except DecodeError:
                lost.update(wanted)
            if lost and self.chunks is not None:  # else the damage was noted when the file was read
                self.damaged_blocks[offset] = lost | self.damaged_blocks.get(offset, set())

    def _block_frames(self, wanted: Collection[str]) -> Iterator[tuple[int, bytes | None]]:
        """Iterate over offset and payload of the frames that may hold a wanted key; None: the frame is damaged."""
        with self.path.open("rb") as file:
            if self.chunks is None:
                reader = FrameReader(file, frames.SIGNATURE_SIZE)
                yield from ((reader.offset, payload) for kind, payload in reader if kind == frames.COLUMNS)
            for at, keys in self.chunks or ():
                if not keys.isdisjoint(wanted):
                    yield at, frames.read_frame(file, at)


def read_log(path: Path, ordinal: int, replay: Replay | None = None) -> Content:
    """Read a log, from its beginning or from where `replay` stopped.

    Raises:
        FormatError: the file is of a newer format.
        FileNotFoundError: it was sealed or removed meanwhile.
    """
    with path.open("rb") as file:
        (replay := replay or Replay()).advance(file)
    events = [event for _, event in replay.events]
    return Content(path, ordinal, events, replay.tallies, replay.damage, replay.orphans, replay=replay)


def read_sealed(path: Path, ordinal: int) -> Content:
    """Read a sealed file but for its points.

    Raises:
        FormatError: the file is of a newer format.
        FileNotFoundError: it was removed meanwhile.
    """
    with path.open("rb") as file:
        head = file.read(WHOLE_BYTES)
        if not frames.check_signature(head, frames.SEALED_SIGNATURE, path.name):
            return _read_damaged(path, ordinal)
        if len(head) < WHOLE_BYTES:
            trailer = head[-TRAILER.size :]
        else:
            file.seek(-TRAILER.size, 2)
            trailer = file.read()
        if len(trailer) < TRAILER.size or not trailer.endswith(TRAILER_MARK):
            return _read_damaged(path, ordinal)
        start, footer_at, _ = TRAILER.unpack(trailer)
        if start > footer_at:
            return _read_damaged(path, ordinal)
        try:
            events, footer = _read_events(file, start)
        except DecodeError:
            return _read_damaged(path, ordinal)
    found = Content(path, ordinal, events, footer.tallies, footer.damage, footer.orphans, chunks=footer.chunks)
    found.log_bytes = footer.log_bytes
    return found


@dataclass(frozen=True, slots=True)
class Footer:
    """The footer of a sealed file; it only repeats what the other frames hold."""

    tallies: dict[str, Tally]
    damage: list[Damage]
    orphans: int
    chunks: list[tuple[int, frozenset[str]]]
    log_bytes: int | None

    @classmethod
    def decode(cls, payload: bytes) -> "Footer":
        """Return the footer that a frame holds.

        Raises:
            DecodeError: the frame does not hold one.
        """
        item = _fields_of(frames.load_json(payload), "orphans")
        key_sets = item.get("key_sets")
        chunks = _lists_of(item, "chunks", 2)
        if not isinstance(key_sets, list) or not all(map(frames.are_texts, key_sets)):
            raise DecodeError("a footer has key sets that are none")
        for offset, number in chunks:
            if not is_int64(offset) or offset < 0 or not is_int64(number) or not 0 <= number < len(key_sets):
                raise DecodeError("a footer names a block that can't be")
        keys = [frozenset(keys) for keys in key_sets]
        blocks = [(offset, keys[number]) for offset, number in chunks]
        size = item.get("log_bytes")
        return cls(_tallies_of(item), _damage_of(item), item["orphans"], blocks, size if is_int64(size) else None)


def _read_events(file: BinaryIO, start: int) -> tuple[list[Event], Footer]:
    """Read the events of a sealed file, and the footer behind them.

    Raises:
        DecodeError: something of them is damaged.
    """
    events: list[Event] = []
    footer: Footer | None = None
    reader = FrameReader(file, start)
    for kind, payload in reader:
        if kind == frames.EVENT:
            events.append(load_event(payload))
        elif kind == frames.FOOTER:
            footer = Footer.decode(payload)
    if footer is None or reader.damage:
        raise DecodeError("events or the footer are damaged")
    return events, footer


def _read_damaged(path: Path, ordinal: int) -> Content:
    """Read a sealed file whose footer, events or trailer are damaged: all its good frames count."""
    events: list[Event] = []
    tallies: dict[str, Tally] = {}
    foreign = []
    with path.open("rb") as file:
        reader = FrameReader(file, frames.SIGNATURE_SIZE)
        for kind, payload in reader:
            try:
                if kind == frames.EVENT:
                    events.append(load_event(payload))
                elif kind == frames.COLUMNS:
                    tally_block(tallies, Block.decode(payload))
            except DecodeError:
                foreign.append(Damage(reader.offset - len(payload), len(payload)))
    damage = [*reader.damage, *foreign] or [Damage(reader.offset, reader.tail)]
    return Content(path, ordinal, events, tallies, damage)


def _fields_of(item: Any, *numbers: str) -> dict[str, Any]:
    """Return a JSON object that has these whole numbers.

    Raises:
        DecodeError: it has not.
    """
    if not isinstance(item, dict) or not all(is_int64(item.get(name)) for name in numbers):
        raise DecodeError(f"no object with the numbers {', '.join(numbers)}")
    return item


def _lists_of(item: dict[str, Any], name: str, length: int) -> list[list[Any]]:
    """Return a field that is a list of lists of equal length.

    Raises:
        DecodeError: it is none.
    """
    found = item.get(name)
    if not isinstance(found, list) or not all(isinstance(part, list) and len(part) == length for part in found):
        raise DecodeError(f"{name!r} is no list of lists of {length}")
    return found


def _tallies_of(item: dict[str, Any]) -> dict[str, Tally]:
    tallies = item.get("tallies")
    if not isinstance(tallies, dict):
        raise DecodeError("there are no tallies")
    return {key: Tally.decode(tally) for key, tally in tallies.items()}


def _damage_of(item: dict[str, Any]) -> list[Damage]:
    found = _lists_of(item, "damage", 2)
    if not all(is_int64(number) for pair in found for number in pair):
        raise DecodeError("a place of damage is no number")
    return [Damage(offset, length) for offset, length in found]
