"""Width and height of a picture, read from the beginning of its file without a library that decodes it."""

import struct
from io import SEEK_CUR
from typing import BinaryIO

MAX_PIXELS = 1 << 26  # of a picture that is kept, or shown: some 270 MB once it is decoded
NONE = (0, 0)
_MAX_SEGMENTS = 1_000  # of a JPEG before the one that tells
_SIZED = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # segments of a JPEG that tell its size


def dimensions_of(file: BinaryIO) -> tuple[int, int]:
    """Return width and height of a PNG, GIF, BMP, WebP or JPEG; zeros for another file, or one that is cut."""
    head = file.read(30)
    try:
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack_from(">II", head, 16)
            return width, height
        if head[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack_from("<HH", head, 6)
            return width, height
        if head[:2] == b"BM":
            width, height = struct.unpack_from("<ii", head, 18)
            return abs(width), abs(height)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(head)
        return _jpeg(file) if head[:2] == b"\xff\xd8" else NONE
    except struct.error:
        return NONE


def check_dimensions(width: int, height: int) -> None:
    """Refuse a picture that takes too much memory once it is decoded.

    Raises:
        ValueError: it has too many pixels.
    """
    if width * height > MAX_PIXELS:
        raise ValueError(f"an image of {width:,} × {height:,} pixels is too large: at most {MAX_PIXELS:,} are taken")


def _webp(head: bytes) -> tuple[int, int]:
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if head[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return NONE


def _jpeg(file: BinaryIO) -> tuple[int, int]:
    """Return the size that the first frame tells; before it may stand any number of comments and thumbnails."""
    file.seek(2)
    for _ in range(_MAX_SEGMENTS):
        mark, kind = struct.unpack(">BB", file.read(2))
        if mark != 0xFF:
            return NONE
        if kind == 0xFF:  # which fills
            file.seek(-1, SEEK_CUR)
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if kind in _SIZED:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return width, height
        file.seek(max(0, length - 2), SEEK_CUR)
    return NONE
