"""Replaying a log: what it holds as far as it was read, and going on from there when it has grown."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from runlore.log import frames
from runlore.log.events import MAX_EVENTS, Event, Room, check_event, load_event
from runlore.log.frames import Damage, Damages, DecodeError, FrameReader, is_int64
from runlore.log.points import Block, KeySet, RowBuffer, Tally, check_room, row_number, tally_block

ROOM_OF_ROW = 100  # bytes that keeping a row takes beside its own
MAX_SETS_BYTES = 512 << 20  # that keeping the key sets of a file takes, about:
ROOM_OF_SET, ROOM_OF_KEY = 400, 60  # of one, and of a key beside its characters


class Replay:
    """The content of a log as far as it was read. `advance` goes on from there, in another process, too (`encode`).

    A list of `raw_events` collects the payloads of the events.
    """

    def __init__(self, raw_events: list[bytes] | None = None) -> None:
        self.offset = frames.SLOT_END
        self.rows = 0
        self.key_sets: dict[int, KeySet] = {}
        self.keys: set[str] = set()  # of all key sets
        self.sets_bytes = 0  # that they take, about
        self.events: list[tuple[int, Event]] = []  # each with the number of rows before it
        self.tallies: dict[str, Tally] = {}
        self.damage = Damages()
        self.tail = 0  # bytes behind the last good frame
        self.broken = False  # True if the tail is damage, and no frame that was never completed
        self.orphans = 0  # rows whose key set could not be read
        self.raw_events = raw_events
        self.room = Room()  # for further events
        self.settled = False  # True where nothing more is to be read, as the file does not change

    def advance(
        self, file: BinaryIO, on_block: Callable[[Block], None] | None = None, *, until: int | None = None
    ) -> None:
        """Read what was appended, as if the file ended at the place `until`; `on_block` gets what `blocks` yields.

        Raises:
            FormatError: the file is of a newer format.
        """
        for block in self.blocks(file, until):
            if on_block is not None:
                on_block(block)

    def blocks(self, file: BinaryIO, until: int | None = None) -> Iterator[Block]:
        """Read what was appended as `advance` does; yield the new rows, in blocks of one key set and of bounded size.

        Raises:
            FormatError: the file is of a newer format.
        """
        head = self._check_head(file)
        gathering = _Gathering(self)
        reader = FrameReader(file, self.offset, gathering.take if "numpy" in sys.modules else None, until)
        for kind, payload in reader:
            try:
                if kind == frames.ROW:
                    gathering.add_row(payload)
                elif kind == frames.KEYS:
                    gathering.define(KeySet.decode(payload))
                elif kind == frames.EVENT:
                    self._add_event(payload)
            except DecodeError as error:
                size = frames.HEAD.size + len(payload)
                self.damage.note(Damage(reader.offset - size, size, str(error)))
                reader.check_in_vain()
            if gathering.blocks:
                yield from gathering.handed_out()
        self.orphans += gathering.end()
        yield from gathering.handed_out()
        self.offset = reader.offset
        self.damage.note(*reader.damage)
        self.tail = reader.tail
        self.broken = reader.broken and reader.tail > 0
        self._add_slot(head)

    @property
    def end(self) -> Event | None:
        """The end record, if one was written."""
        return next((event for _, event in reversed(self.events) if event["type"] == "end"), None)

    def copy(self) -> "Replay":
        """Return another replay of the same, to go on by itself."""
        from copy import copy

        other = Replay()
        other.offset, other.rows, other.orphans = self.offset, self.rows, self.orphans
        other.key_sets, other.keys, other.sets_bytes = dict(self.key_sets), set(self.keys), self.sets_bytes
        other.events, other.damage = list(self.events), Damages(self.damage)
        other.tallies = {key: copy(tally) for key, tally in self.tallies.items()}
        other.tail, other.broken, other.room = self.tail, self.broken, self.room.copy()
        return other

    def encode(self) -> str:
        """Return the replay as JSON, for the index to keep."""
        return json.dumps(
            {
                "offset": self.offset,
                "rows": self.rows,
                "key_sets": [[item.number, item.keys, item.split] for item in self.key_sets.values()],
                "events": self.events,
                "tallies": {key: [*tally.encode(), tally.first_step] for key, tally in self.tallies.items()},
                "damage": self.damage,
                "orphans": self.orphans,
                "room": self.room.size,
                "tail": self.tail,
                "broken": int(self.broken),
                "settled": int(self.settled),
            }
        )

    @classmethod
    def decode(cls, text: str) -> "Replay":
        """Return the replay that was encoded.

        Raises:
            DecodeError: the text is not what `encode` returns.
        """
        numbers = ("offset", "rows", "orphans", "room", "tail", "broken", "settled")
        item = fields_of(frames.load_json(text.encode(errors="surrogatepass")), *numbers)
        key_sets = [KeySet.checked(*fields) for fields in lists_of(item, "key_sets", 3)]
        replay = cls()
        replay.offset, replay.rows, replay.orphans = item["offset"], item["rows"], item["orphans"]
        replay.key_sets = {key_set.number: key_set for key_set in key_sets}
        replay.keys = {key for key_set in key_sets for key in key_set.keys}
        replay.sets_bytes = sum(map(_room_of, key_sets))
        replay.events = [(position, check_event(event)) for position, event in lists_of(item, "events", 2)]
        replay.tallies = tallies_of(item)
        replay.damage = damage_of(item, 3)
        replay.tail, replay.broken = item["tail"], bool(item["broken"])
        replay.settled = bool(item["settled"])
        replay.room = Room(MAX_EVENTS - len(replay.events), item["room"])
        for _, event in replay.events:
            replay.room.take(event)
        return replay

    def _check_head(self, file: BinaryIO) -> bytes:
        file.seek(0)
        head = file.read(frames.SLOT_END)
        name = os.path.basename(file.name)  # noqa: PTH119  # as each run that ends is read
        if not frames.check_signature(head, frames.LOG_SIGNATURE, name) and not self.damage:
            self.damage.note(Damage(0, frames.SIGNATURE_SIZE))
        return head

    def _add_event(self, payload: bytes) -> None:
        self.events.append((self.rows, self.room.load(payload)))
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
            self.damage.note(damage)


class _Gathering:
    """Turns rows into blocks, one key set at a time. Those without rows here cost nothing: a log has many pieces."""

    MAX_WAITING = 64 << 20  # bytes of rows that wait for their key set: it is defined again every 256 KiB
    FEW_ROWS = 16  # that are no faster taken together …
    PAUSE = 64  # … so that this many are taken one by one

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self.blocks: list[Block] = []  # that are whole
        self._buffers: dict[int, RowBuffer] = {}
        self._waiting: dict[int, list[tuple[bytes, int]]] = {}  # rows whose definition was damaged: it comes again
        self._room = self.MAX_WAITING
        self._misfits = 0
        self._pause = 0  # rows to take one by one

    def add_row(self, payload: bytes) -> None:
        """Take a row.

        Raises:
            DecodeError: it is too short, or has not the length that its key set says, or too many wait for theirs.
        """
        number = row_number(payload)
        buffer = self._buffers.get(number)
        if buffer is None and number in self._replay.key_sets:
            buffer = self._begun(number)
        if buffer is None:
            self._room -= len(payload) + ROOM_OF_ROW
            if self._room < 0:
                raise DecodeError("its key set is not defined, as those of many rows before")
            self._waiting.setdefault(number, []).append((payload, self._replay.rows))
        else:
            self._add(buffer, payload, self._replay.rows)
        self._replay.rows += 1

    def take(self, buffer: bytes, place: int) -> int:
        """Take the good rows from a place on; return the bytes of their frames."""
        from runlore.log.long.rows import good_rows  # which short logs don't need

        self._pause -= 1
        if self._pause > 0:
            return 0
        taken, found = good_rows(buffer, place, self._replay.key_sets)
        count = 0
        for rows in found:
            gathered = self._buffers.get(rows.number) or self._begun(rows.number)
            done = 0
            while done < len(rows.order):
                end = done + gathered.room
                gathered.extend(rows.payloads[done:end].tobytes(), self._replay.rows + rows.order[done:end])
                done = min(end, len(rows.order))
                if gathered.room <= 0:
                    self._flush(gathered)
            count += done
        self._replay.rows += count
        self._pause = self.PAUSE if count < self.FEW_ROWS else 0
        return taken

    def define(self, key_set: KeySet) -> None:
        """Take a definition, and the rows that waited for it.

        Raises:
            DecodeError: the number is defined already, as other keys, or the file has no room for more keys.
        """
        known = self._replay.key_sets.get(key_set.number)
        if known is None:
            check_room(self._replay.keys, key_set.keys)
            if self._replay.sets_bytes > MAX_SETS_BYTES:
                raise DecodeError("a file has no room for so many key sets")
            self._replay.keys.update(key_set.keys)
            self._replay.sets_bytes += _room_of(key_set)
            self._replay.key_sets[key_set.number] = key_set
        elif known != key_set:
            raise DecodeError(f"key set {key_set.number} is defined again, as other keys")
        for payload, position in self._waiting.pop(key_set.number, ()):
            try:
                self._add(self._buffers.get(key_set.number) or self._begun(key_set.number), payload, position)
            except DecodeError:
                self._misfits += 1

    def handed_out(self) -> list[Block]:
        """Return the blocks that are whole, and keep none of them."""
        found, self.blocks = self.blocks, []
        return found

    def end(self) -> int:
        """Make blocks of the rest; return the number of rows that no definition fits."""
        for buffer in self._buffers.values():
            if buffer.raw:
                self._flush(buffer)
        return self._misfits + sum(map(len, self._waiting.values()))

    def _begun(self, number: int) -> RowBuffer:
        buffer = self._buffers[number] = RowBuffer(self._replay.key_sets[number])
        return buffer

    def _add(self, buffer: RowBuffer, payload: bytes, position: int) -> None:
        buffer.add(payload, position)
        if buffer.room <= 0:
            self._flush(buffer)

    def _flush(self, buffer: RowBuffer) -> None:
        block = buffer.drain()
        tally_block(self._replay.tallies, block)
        self.blocks.append(block)


def _room_of(key_set: KeySet) -> int:
    return ROOM_OF_SET + sum(ROOM_OF_KEY + len(key) for key in key_set.keys)


def fields_of(item: Any, *numbers: str) -> dict[str, Any]:
    """Return a JSON object that has these whole numbers.

    Raises:
        DecodeError: it has not.
    """
    if not isinstance(item, dict) or not all(is_int64(item.get(name)) for name in numbers):
        raise DecodeError(f"no object with the numbers {', '.join(numbers)}")
    return item


def lists_of(item: dict[str, Any], name: str, length: int) -> list[list[Any]]:
    """Return a field that is a list of lists of equal length.

    Raises:
        DecodeError: it is none.
    """
    found = item.get(name)
    if not isinstance(found, list) or not all(isinstance(part, list) and len(part) == length for part in found):
        raise DecodeError(f"{name!r} is no list of lists of {length}")
    return found


def tallies_of(item: dict[str, Any]) -> dict[str, Tally]:
    """Return the tallies of an object by their keys.

    Raises:
        DecodeError: they are none.
    """
    tallies = item.get("tallies")
    if not isinstance(tallies, dict):
        raise DecodeError("there are no tallies")
    check_room((), tallies)
    return {key: Tally.decode(tally) for key, tally in tallies.items()}


def damage_of(item: dict[str, Any], length: int = 2) -> Damages:
    """Return the damage that an object tells of, each a list of so many fields.

    Raises:
        DecodeError: it is none.
    """
    found = lists_of(item, "damage", length)
    if not all(is_int64(number) for part in found for number in part[:2]) or not all(
        type(why) is str for part in found for why in part[2:]
    ):
        raise DecodeError("a place of damage is no number")
    damage = Damages()
    damage.note(*(Damage(*part) for part in found))
    return damage
