"""Frames: the units that a log is written in. docs/format.md tells the layout."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zlib import crc32

from runlore.errors import FormatError

FORMAT = 1
LOG_SIGNATURE = b"RLLOG\0"
SEALED_SIGNATURE = b"RLRUN\0"
SIGNATURE_SIZE = 8  # the signature and the format's number, u16
SLOT_END = 1024  # a log's frames begin here; before it lies room for the end record

MAGIC = b"\xa5RL"
EVENT = ord("J")
KEYS = ord("K")
ROW = ord("P")
COLUMNS = ord("C")
FOOTER = ord("F")
HEAD = struct.Struct("<4sII")  # magic and kind, length of the payload, crc32 of kind and payload
MAX_PAYLOAD = 64 << 20
PIECE = 1 << 20

CRC_OF_KIND = {kind: crc32(bytes([kind])) for kind in (EVENT, KEYS, ROW, COLUMNS, FOOTER)}
MARK_OF_KIND = {kind: MAGIC + bytes([kind]) for kind in CRC_OF_KIND}


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a file, in bytes, that holds no readable frame."""

    offset: int
    length: int


def frame(kind: int, payload: bytes) -> bytes:
    """The bytes of one frame."""
    return HEAD.pack(MARK_OF_KIND[kind], len(payload), crc32(payload, CRC_OF_KIND[kind])) + payload


def signature(mark: bytes) -> bytes:
    """The first bytes of a file: which kind it is, and the number of its format."""
    return mark + struct.pack("<H", FORMAT)


def check_signature(head: bytes, mark: bytes, name: str) -> bool:
    """Whether `head` begins a file of this kind.

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
    """The payload of the end record in the reserved room at a log's head, if one stands there."""
    if len(head) < SIGNATURE_SIZE + HEAD.size:
        return None
    payload = _payload_at(head, SIGNATURE_SIZE)
    return payload[1] if payload and payload[0] == EVENT else None


def whole_frame(data: bytes) -> bytes | None:
    """The payload of the frame that `data` holds exactly; None if it is damaged."""
    found = _payload_at(data, 0)
    return found[1] if found else None


class FrameReader:
    """Iterates over (kind, payload) from `offset`, in bounded memory.

    `offset` moves behind the last whole frame that was given out, so a later reader of a growing file goes on from
    there. What can't be read between two good frames is passed over and noted in `damage`; a torn end is not, as it
    may still be being written: `tail` tells how many bytes of it were seen.
    """

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self.offset = offset
        self.damage: list[Damage] = []
        self.tail = 0
        self.broken = False  # whether the tail can't just be a frame that is being written
        self._file = file

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        self._file.seek(self.offset)
        buffer = b""
        place = 0  # of the next frame in the buffer
        lost = 0  # bytes passed over since the last good frame
        ended = False
        while True:
            need = _needed(buffer, place)
            while not ended and len(buffer) - place < need:
                piece = self._file.read(max(PIECE, need))
                ended = not piece
                buffer = buffer[place:] + piece
                place = 0
                need = _needed(buffer, place)
            if len(buffer) - place < HEAD.size:
                break
            found = _payload_at(buffer, place)
            if found is None:
                self.broken = self.broken if lost else len(buffer) - place >= need
                step = buffer.find(MAGIC, place + 1) - place
                if step < 0:  # keep what may be the first bytes of a magic
                    step = max(1, len(buffer) - place - len(MAGIC) + 1)
                lost += step
                place += step
                continue
            if lost:
                self.damage.append(Damage(self.offset, lost))
                self.offset += lost
                lost = 0
            self.broken = False
            size = HEAD.size + len(found[1])
            place += size
            self.offset += size
            yield found
        self.tail = lost + len(buffer) - place


def _needed(buffer: bytes, place: int) -> int:
    """Bytes of the frame at `place`, as far as its head can be believed."""
    if len(buffer) - place < HEAD.size:
        return HEAD.size
    mark, length, _ = HEAD.unpack_from(buffer, place)
    return HEAD.size + length if mark[:3] == MAGIC and length <= MAX_PAYLOAD else HEAD.size


def _payload_at(buffer: bytes, place: int) -> tuple[int, bytes] | None:
    mark, length, check = HEAD.unpack_from(buffer, place)
    begin = place + HEAD.size
    if mark[:3] != MAGIC or mark[3] not in CRC_OF_KIND or begin + length > len(buffer):
        return None
    payload = buffer[begin : begin + length]
    return (mark[3], payload) if crc32(payload, CRC_OF_KIND[mark[3]]) == check else None
