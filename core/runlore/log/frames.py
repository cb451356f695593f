"""Frames: the units that logs and sealed files are written in. docs/format.md has their layout."""

import json
import os
import re
import struct
from collections.abc import Callable, Iterator
from io import UnsupportedOperation
from typing import Any, BinaryIO, NamedTuple
from zlib import crc32

from runlore._inside import extents, is_hollow
from runlore.errors import FormatError

FORMAT = 1
LOG_SIGNATURE = b"RLLOG\0"
SEALED_SIGNATURE = b"RLRUN\0"
SIGNATURE_SIZE = 8  # bytes: the signature and the number of the format, u16
SLOT_END = 1024  # the offset of a log's first frame; the room before it is reserved for an end record

MAGIC = b"\xa5RL"
EVENT = ord("J")
KEYS = ord("K")
ROW = ord("P")
COLUMNS = ord("C")
FOOTER = ord("F")
HEAD = struct.Struct("<4sII")  # magic and kind, length of the payload, crc32 of kind and payload
MAX_PAYLOAD = 64 << 20  # bytes
MAX_DEPTH = 64  # of lists and objects in JSON
MAX_PARTS = 4_000_000  # of JSON: as many lists, objects and items
READ_BYTES = 128 << 10  # of a file at a time: larger ones would be new pages of memory each time
FREE_CHECKS = 256 << 20  # bytes of a file that a reader checks in vain, and so many for each byte of it:
TIMES_CHECKED = 4
LEAST_CHECKED = 1 << 10  # bytes that each of these checks counts for: those of short frames take as long
MAX_DAMAGES = 10_000  # of a file that are told by their places

CRC_OF_KIND = {kind: crc32(bytes([kind])) for kind in (EVENT, KEYS, ROW, COLUMNS, FOOTER)}
MARK_OF_KIND = {kind: MAGIC + bytes([kind]) for kind in CRC_OF_KIND}


_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # it is not in the stubs
_LONE_SURROGATE = "[\ud800-\udfff]"  # compiled when it is needed: a script's only run has none


_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=str)  # made once: many events are short


class DecodeError(ValueError):
    """A frame is whole, but its content is not as docs/format.md has it."""


class Damage(NamedTuple):
    """A stretch of a file, in bytes, that holds no readable frame, and what is wrong with it, where that is known."""

    offset: int
    length: int
    why: str = ""


class Damages(list[Damage]):
    """Places of damage, those that were found first; where there are many, the last one stands for all others."""

    def note(self, *found: Damage) -> None:
        """Add places."""
        for item in found:
            if len(self) < MAX_DAMAGES:
                self.append(item)
            else:
                offset, length, _ = self[-1]
                self[-1] = Damage(offset, length + item.length, "this, and all damage that was found later")


def fault_text(error: Exception) -> str:
    """Return what an error says of a file."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) if isinstance(error, FormatError) else f"{type(error).__name__}: {str(error)[:200]}"


def frame(kind: int, payload: bytes) -> bytes:
    """Return the bytes of one frame."""
    return HEAD.pack(MARK_OF_KIND[kind], len(payload), crc32(payload, CRC_OF_KIND[kind])) + payload


def dump_json(value: Any) -> bytes:
    """Return a value as a JSON payload; what JSON can't hold becomes its text."""
    text = _JSON.encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _escaped(text).encode()


def load_json(payload: bytes) -> Any:
    """Return the value of a JSON payload; all its texts can be encoded again.

    Raises:
        DecodeError: it is no JSON, or has more parts or levels than a reader takes.
    """
    opened = payload.count(b"[") + payload.count(b"{")
    if len(payload) > MAX_PARTS and opened + payload.count(b",") > MAX_PARTS:
        raise DecodeError(f"JSON of more than {MAX_PARTS:,} parts")
    try:
        value = _loads(str(payload, "utf-8"))  # of bytes, json would guess the encoding first
        if opened > MAX_DEPTH and _is_deep(value):
            raise DecodeError(f"JSON of more than {MAX_DEPTH} levels")
        if b"\\u" in payload:
            text = json.dumps(value, ensure_ascii=False)
            value = json.loads(_escaped(text)) if re.search(_LONE_SURROGATE, text) else value
    except DecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"{payload[:60]!r} is no JSON: {error}") from error
    return value


def _loads(text: str) -> Any:
    """Return what `json.loads` does, which looks for blanks around a text first."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


def _is_deep(value: Any) -> bool:
    """Return True if lists and objects lie in each other more than `MAX_DEPTH` levels deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        parts = [item.values() if type(item) is dict else item for item in level if type(item) in (dict, list)]
        level = [item for part in parts for item in part if type(item) in (dict, list)]
        if not level:
            return False
    return True


def is_int64(value: Any) -> bool:
    """Return True for a whole number of 64 bits; a flag is none."""
    return type(value) is int and -1 << 63 <= value < 1 << 63


def are_texts(value: Any) -> bool:
    """Return True for a list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def signature(mark: bytes) -> bytes:
    """Return the first bytes of a file: its mark, and the number of the format."""
    return mark + struct.pack("<H", FORMAT)


def check_signature(head: bytes, mark: bytes, name: str) -> bool:
    """Return True if `head` begins a file with this mark; `name` is the file's, for the message.

    Raises:
        FormatError: the file was written in a newer format.
    """
    if head[: len(mark)] != mark:
        return False
    (number,) = struct.unpack_from("<H", head, len(mark)) if len(head) >= SIGNATURE_SIZE else (0,)
    if number > FORMAT:
        raise FormatError(
            f"{name} has format {number}, this runlore reads up to {FORMAT}: upgrade with `pip install -U runlore`"
        )
    return bool(number)


def slot_frame(head: bytes) -> bytes | None:
    """Return the payload of the event in the reserved room of a log's head; None where there is none."""
    if len(head) < SIGNATURE_SIZE + HEAD.size:
        return None
    found = _frame_at(head, SIGNATURE_SIZE)
    return found[1] if found and found[0] == EVENT else None


def read_frame(file: BinaryIO, offset: int, end: int) -> bytes | None:
    """Return the payload of the frame at a known offset; None if it is damaged, or goes on behind `end`."""
    file.seek(offset)
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    _, length, _ = HEAD.unpack(head)
    if length > min(MAX_PAYLOAD, end - offset - HEAD.size):
        return None
    found = _frame_at(head + file.read(length), 0)
    return found[1] if found else None


def whole_frames(buffer: bytes, place: int, end: int) -> list[tuple[int, bytes]] | None:
    """Return kind and payload of the frames that fill a part of a buffer; None where one is damaged."""
    found = []
    while place < end:
        item = _frame_at(buffer, place)
        if item is None:
            return None
        found.append(item)
        place += HEAD.size + len(item[1])
    return found if place == end else None


class FrameReader:
    """Iterates over the frames of a file from `offset` on, as (kind, payload), in bounded memory.

    After each frame `offset` is its end, so that a later reader of a growing file can go on from there. Bytes between
    two good frames that are no frame are skipped and noted in `damage`. `tail` counts the bytes behind the last good
    frame, which may be a frame that is still being written; `broken` is set where they can't be.

    Of a file that is mostly holes each part between them counts by itself. What is left of a file in which too many
    bytes look like frames and are none is not searched, and counts as damage.

    `take` is offered what follows a row, as a buffer and a place in it; it returns how many bytes of frames it took.
    The file counts as if it ended at the place `until`.
    """

    def __init__(
        self, file: BinaryIO, offset: int, take: Callable[[bytes, int], int] | None = None, until: int | None = None
    ) -> None:
        self.offset = offset
        self._until = until
        self._take = take
        self.damage = Damages()
        self.tail = 0
        self.broken = False
        self._file = file
        self._left = 0  # bytes of a part that were not read yet
        self._room = FREE_CHECKS  # bytes that may still be checked in vain

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        size, parts = self._parts()
        lost = 0  # bytes skipped since the last good frame
        end = self.offset
        for begin, end in parts:
            self.broken = self.broken or begin > self.offset + lost
            lost = begin - self.offset
            self._left = end - self._file.seek(begin)
            buffer = b""
            place = 0  # of the next frame in the buffer
            while self._room >= 0:
                found = _frame_at(buffer, place)
                if found is None:
                    need = _needed(buffer, place)
                    if len(buffer) - place < need:
                        piece = self._read(max(READ_BYTES, need))
                        if piece:
                            buffer = buffer[place:] + piece
                            place = 0
                            continue
                    else:
                        self.check_in_vain(need)
                    if len(buffer) - place < HEAD.size:
                        break
                    self.broken = self.broken if lost else len(buffer) - place >= need
                    step = _step(buffer, place)
                    lost += step
                    place += step
                    continue
                if lost:
                    self.damage.note(Damage(self.offset, lost))
                    self.offset += lost
                    lost = 0
                self.broken = False
                length = HEAD.size + len(found[1])
                place += length
                self.offset += length
                yield found
                if self._take is not None and found[0] == ROW:
                    taken = self._take(buffer, place)
                    place += taken
                    self.offset += taken
            lost = end - self.offset
        self._end(size, end)

    def _end(self, size: int, end: int) -> None:
        """Take what is left of a file of some size, whose last part ends at `end`: damage where it is not searched."""
        if self._room < 0 and size > self.offset:
            self.damage.note(
                Damage(self.offset, size - self.offset, "too much before it looks like frames and is none")
            )
            self.offset = size
        self.tail = max(0, size - self.offset)
        self.broken = self.broken or end < size

    def check_in_vain(self, size: int = 0) -> None:
        """Take so many bytes of the room for what was looked at in vain, such as a frame whose content is none."""
        self._room -= max(size, LEAST_CHECKED)

    def _parts(self) -> tuple[int, list[tuple[int, int]]]:
        """Return the size of the file, and where the parts of it begin and end that are read."""
        try:
            descriptor = self._file.fileno()
        except UnsupportedOperation:  # it lies in memory
            size = self._file.seek(0, os.SEEK_END)
            parts = [(0, size)]
        else:
            size = os.fstat(descriptor).st_size
            parts = extents(descriptor) if is_hollow(descriptor) else [(0, size)]
        if self._until is not None and self._until < size:
            size = self._until
            parts = [(begin, min(end, size)) for begin, end in parts if begin < size]
        return size, [(max(begin, self.offset), end) for begin, end in parts if end > self.offset]

    def _read(self, count: int) -> bytes:
        """Return the next bytes of the part; none at its end."""
        piece = self._file.read(min(count, self._left))
        self._left = self._left - len(piece) if piece else 0
        self._room += TIMES_CHECKED * len(piece)
        return piece


def _step(buffer: bytes, place: int) -> int:
    """Return how many bytes behind `place` the next frame may begin; those that may begin a mark are kept."""
    found = buffer.find(MAGIC, place + 1)
    return found - place if found >= 0 else max(1, len(buffer) - place - len(MAGIC) + 1)


def _needed(buffer: bytes, place: int) -> int:
    """Return the size of the frame at `place` by its head, or of a head where there is no whole or credible one."""
    if len(buffer) - place < HEAD.size:
        return HEAD.size
    mark, length, _ = HEAD.unpack_from(buffer, place)
    return HEAD.size + length if mark[:3] == MAGIC and length <= MAX_PAYLOAD else HEAD.size


def _frame_at(buffer: bytes, place: int) -> tuple[int, bytes] | None:
    """Return kind and payload of the frame at `place`; None where it is damaged or not whole."""
    begin = place + HEAD.size
    if begin > len(buffer):
        return None
    mark, length, check = HEAD.unpack_from(buffer, place)
    if mark[:3] != MAGIC or mark[3] not in CRC_OF_KIND or begin + length > len(buffer):
        return None
    payload = buffer[begin : begin + length]
    return (mark[3], payload) if crc32(payload, CRC_OF_KIND[mark[3]]) == check else None


def _escaped(text: str) -> str:
    """Write half characters, which a file name that is no UTF-8 has, as their escapes."""
    return re.sub(_LONE_SURROGATE, lambda found: f"\\\\u{ord(found[0]):04x}", text)
