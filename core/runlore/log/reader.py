"""Reading one writer's file: a log that may still grow, or a sealed one."""

import json
import struct
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from runlore.log import frames
from runlore.log.frames import Damage, FrameReader
from runlore.log.liveness import Life
from runlore.log.points import BLOCK_BYTES, Block, KeySet, RowBuffer, Tally, tally_block

Event = dict[str, Any]
TRAILER = struct.Struct("<QQ8s")  # where the events begin, where the footer begins, a mark
TRAILER_MARK = b"RLSEALED"
FOREIGN = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error, zlib.error)
# What a newer format, or a good frame whose content is not ours, ends in.
SMALL = 1 << 16  # sealed files up to this size are read whole

_NUMBER = struct.Struct("<I")


@dataclass(slots=True)
class Replay:
    """What a growing log has told so far; `advance` goes on from there, also in another process (`encode`)."""

    offset: int = frames.SLOT_END
    rows: int = 0
    key_sets: dict[int, KeySet] = field(default_factory=dict)
    events: list[tuple[int, Event]] = field(default_factory=list)  # each with the number of rows before it
    tallies: dict[str, Tally] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)
    tail: int = 0  # bytes of a torn last frame
    broken: bool = False  # whether the tail is damage rather than a frame that was never completed
    orphans: int = 0  # rows whose key set could not be read
    raw_events: list[bytes] | None = None  # set to a list to keep the events' payloads

    def advance(self, file: BinaryIO, on_block: Callable[[Block], None] | None = None) -> None:
        """Read what was appended. `on_block` gets the new rows, per key set in blocks of bounded size."""
        head = self._check_head(file)
        reader = FrameReader(file, self.offset)
        gathering = _Gathering(self, on_block)
        for kind, payload in reader:
            try:
                if kind == frames.ROW:
                    gathering.row(payload)
                elif kind == frames.KEYS:
                    gathering.define(KeySet.decode(payload))
                elif kind == frames.EVENT:
                    self._take_event(payload)
            except FOREIGN:
                size = frames.HEAD.size + len(payload)
                self.damage.append(Damage(reader.offset - size, size))
        self.orphans += gathering.end()
        self.offset = reader.offset
        self.damage += reader.damage
        self.tail = reader.tail
        self.broken = reader.broken and reader.tail > 0
        self._take_slot(head)

    @property
    def end(self) -> Event | None:
        """The end record, if one was written."""
        return next((event for _, event in reversed(self.events) if event["type"] == "end"), None)

    def encode(self) -> str:
        """As JSON, for the index to remember."""
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
        """The replay that was encoded."""
        item = json.loads(text)
        return cls(
            offset=item["offset"],
            rows=item["rows"],
            key_sets={number: KeySet(number, tuple(keys), split) for number, keys, split in item["key_sets"]},
            events=[(position, event) for position, event in item["events"]],
            tallies={key: Tally.decode(tally) for key, tally in item["tallies"].items()},
            damage=[Damage(*pair) for pair in item["damage"]],
            orphans=item["orphans"],
        )

    def _check_head(self, file: BinaryIO) -> bytes:
        file.seek(0)
        head = file.read(frames.SLOT_END)
        if not frames.check_signature(head, frames.LOG_SIGNATURE, Path(file.name).name) and not self.damage:
            self.damage.append(Damage(0, frames.SIGNATURE_SIZE))
        return head

    def _take_event(self, payload: bytes) -> None:
        self.events.append((self.rows, load_event(payload)))
        if self.raw_events is not None:
            self.raw_events.append(payload)

    def _take_slot(self, head: bytes) -> None:
        payload = frames.slot_frame(head)
        if payload is not None and self.end is None:
            self._take_event(payload)


class _Gathering:
    """Rows on their way from frames to blocks, key set by key set."""

    def __init__(self, replay: Replay, on_block: Callable[[Block], None] | None) -> None:
        self._replay = replay
        self._on_block = on_block
        self._buffers = {number: RowBuffer(key_set) for number, key_set in replay.key_sets.items()}
        self._waiting: dict[int, list[tuple[bytes, int]]] = {}  # rows whose definition was damaged: it comes again

    def row(self, payload: bytes) -> None:
        (number,) = _NUMBER.unpack_from(payload)
        buffer = self._buffers.get(number)
        if buffer is None:
            self._waiting.setdefault(number, []).append((payload, self._replay.rows))
        else:
            buffer.add(payload, self._replay.rows)
            if len(buffer.raw) > BLOCK_BYTES:
                self._flush(buffer)
        self._replay.rows += 1

    def define(self, key_set: KeySet) -> None:
        self._replay.key_sets[key_set.number] = key_set
        buffer = self._buffers.setdefault(key_set.number, RowBuffer(key_set))
        for payload, position in self._waiting.pop(key_set.number, ()):
            buffer.add(payload, position)

    def end(self) -> int:
        """Flush what is left; the number of rows that nobody defined."""
        for buffer in self._buffers.values():
            if buffer.raw:
                self._flush(buffer)
        return sum(map(len, self._waiting.values()))

    def _flush(self, buffer: RowBuffer) -> None:
        block = buffer.drain()
        tally_block(self._replay.tallies, block)
        if self._on_block is not None:
            self._on_block(block)


@dataclass(slots=True)
class Content:
    """One writer's file as far as a run's record needs it; `blocks` reads the points."""

    path: Path
    ordinal: int
    events: list[Event]
    tallies: dict[str, Tally]
    damage: list[Damage]
    orphans: int = 0
    chunks: list[tuple[int, frozenset[str]]] | None = None  # of a sealed file; None: read them all
    replay: Replay | None = None  # of a log
    life: Life = Life.DEAD  # of the writer
    lost_columns: int = 0  # blocks that `payloads` found damaged, the last time it was read

    @property
    def sealed(self) -> bool:
        """Whether the file can't grow any more."""
        return self.path.suffix == ".run"

    @property
    def opening(self) -> Event:
        """The event that opens the file; empty if it is lost."""
        return next((event for event in self.events if event["type"] == "open"), {})

    @property
    def end(self) -> Event | None:
        """The end record, if one was written."""
        return next((event for event in reversed(self.events) if event["type"] == "end"), None)

    def cut_of(self, key: str) -> int | None:
        """The step behind which points of earlier files don't count any more; None: they all do."""
        opening = self.opening
        return None if key in (opening.get("spared") or ()) else opening.get("cut")

    def payloads(self, wanted: Collection[str]) -> Iterator[bytes]:
        """The frames of columns of a sealed file that may hold one of some keys."""
        self.lost_columns = 0
        with self.path.open("rb") as file:
            if self.chunks is None:
                yield from (data for kind, data in FrameReader(file, frames.SIGNATURE_SIZE) if kind == frames.COLUMNS)
                return
            for offset, keys in self.chunks:
                if not keys.isdisjoint(wanted):
                    found = _frame_at(file, offset)
                    if found is None:
                        self.lost_columns += 1
                    else:
                        yield found

    def blocks(self, wanted: Collection[str]) -> list[Block]:
        """The blocks that hold one of some keys."""
        if self.sealed:
            found = [Block.decode(payload) for payload in self.payloads(wanted)]
        else:
            found = []
            try:
                with self.path.open("rb") as file:
                    Replay().advance(file, found.append)
            except FileNotFoundError:  # sealed since we looked
                return read_sealed(self.path.with_suffix(".run"), self.ordinal).blocks(wanted)
        return [block for block in found if not set(block.keys).isdisjoint(wanted)]


def load_event(payload: bytes) -> Event:
    """The event of a frame.

    Raises:
        ValueError: it is no JSON object with a type and a time.
    """
    event = json.loads(str(payload, "utf-8"))  # of bytes, json would guess the encoding first
    if not isinstance(event, dict) or not isinstance(event.get("type"), str) or type(event.get("time")) is not int:
        raise ValueError(f"a frame holds {payload[:60]!r}, which is no event")
    if event["type"] == "end" and not isinstance(event.get("status"), str):
        raise ValueError("an end without a status")
    return event


def _frame_at(file: BinaryIO, offset: int) -> bytes | None:
    """The payload of the frame at a known place; None if it is damaged."""
    file.seek(offset)
    head = file.read(frames.HEAD.size)
    if len(head) < frames.HEAD.size:
        return None
    _, length, _ = frames.HEAD.unpack(head)
    return frames.whole_frame(head + file.read(min(length, frames.MAX_PAYLOAD)))


def read_log(path: Path, ordinal: int, replay: Replay | None = None) -> Content:
    """The content of a log, from its beginning or from where `replay` stopped.

    Raises:
        FormatError: the file is of a newer format.
        FileNotFoundError: it was sealed or removed meanwhile.
    """
    replay = replay or Replay()
    with path.open("rb") as file:
        replay.advance(file)
    events = [event for _, event in replay.events]
    return Content(path, ordinal, events, replay.tallies, replay.damage, replay.orphans, replay=replay)


def read_sealed(path: Path, ordinal: int) -> Content:
    """The content of a sealed file, points left out.

    Raises:
        FormatError: the file is of a newer format.
        FileNotFoundError: it was removed meanwhile.
    """
    with path.open("rb") as file:
        head = file.read(SMALL)
        whole = len(head) < SMALL
        if not frames.check_signature(head, frames.SEALED_SIGNATURE, path.name):
            return _read_damaged(path, ordinal)
        if whole:
            trailer = head[-TRAILER.size :]
        else:
            file.seek(-TRAILER.size, 2)
            trailer = file.read()
        if len(trailer) < TRAILER.size or not trailer.endswith(TRAILER_MARK):
            return _read_damaged(path, ordinal)
        start, footer_at, _ = TRAILER.unpack(trailer)
        file.seek(start)
        events: list[Event] = []
        footer: dict[str, Any] | None = None
        reader = FrameReader(file, start)
        foreign = False
        for kind, payload in reader:
            try:
                if kind == frames.EVENT:
                    events.append(load_event(payload))
                elif kind == frames.FOOTER:
                    footer = json.loads(payload)
            except FOREIGN:
                foreign = True
    if footer is None or reader.damage or foreign or start > footer_at:
        return _read_damaged(path, ordinal)
    key_sets = [frozenset(keys) for keys in footer["key_sets"]]
    return Content(
        path,
        ordinal,
        events,
        {key: Tally.decode(item) for key, item in footer["tallies"].items()},
        [Damage(*pair) for pair in footer["damage"]],
        footer["orphans"],
        chunks=[(offset, key_sets[number]) for offset, number in footer["chunks"]],
    )


def _read_damaged(path: Path, ordinal: int) -> Content:
    """What is left of a sealed file whose footer, events or trailer are damaged: every good frame counts."""
    events: list[Event] = []
    tallies: dict[str, Tally] = {}
    with path.open("rb") as file:
        reader = FrameReader(file, frames.SIGNATURE_SIZE)
        foreign = []
        for kind, payload in reader:
            try:
                if kind == frames.EVENT:
                    events.append(load_event(payload))
                elif kind == frames.COLUMNS:
                    tally_block(tallies, Block.decode(payload))
            except FOREIGN:
                foreign.append(Damage(reader.offset - len(payload), len(payload)))
    damage = [*reader.damage, *foreign] or [Damage(reader.offset, reader.tail)]
    return Content(path, ordinal, events, tallies, damage)
