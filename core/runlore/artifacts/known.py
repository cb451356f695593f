"""Large files that the store remembers: unchanged ones need no second reading, and kept contents no second copy."""

import os
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path

from runlore._ids import new_suffix
from runlore._inside import drop, read_bytes, rename, state_of
from runlore._sharing import open_file

MIN_BYTES = 256 << 10  # of a file that is remembered: to read a smaller one takes less than a millisecond

_MAX_BYTES = 1 << 20  # of the file of notes, some six thousand; then the older half is forgotten
_LINE_BYTES = 256  # of a note, at most
_SAMPLES, _SAMPLE_BYTES = 16, 4 << 10  # of a content, that tell it from others without reading it all
_SLACK_NS = 100_000_000  # in which a file may be written again without a change of its times: ten ticks of a kernel
_COARSE_SLACK_NS = 2_100_000_000  # the same where times have whole milliseconds or seconds, as on FAT

Notes = bytes  # lines "<device> <inode> <size> <mtime ns> <ctime ns> <samples' hash> <sha256>", zeros for no file


class Known:
    """Remembers files and contents in one file, `path`; it may be lost or damaged at any time. No method raises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store = path.parent.parent
        self._notes: Notes = b""
        with suppress(OSError):
            self._notes = b"\n" + read_bytes(path, self._store, 2 * _MAX_BYTES)

    def sha256_of(self, status: os.stat_result) -> str | None:
        """Return the hash of a file that has not changed since it was noted."""
        place = self._notes.rfind(f"\n{_identity(status)} ".encode())
        return None if place < 0 else _last_word(self._notes, place + 1)

    def sha256_like(self, samples: str) -> str | None:
        """Return the hash of a content that looks like one with these samples, and may be another."""
        place = self._notes.rfind(f" {samples} ".encode())
        return None if place < 0 else _last_word(self._notes, place + 1)

    def note(self, file: FileIO, before: os.stat_result, began_ns: int, samples: str, sha256: str) -> None:
        """Note an open file that was read from `began_ns` on and had the status `before`, and its content.

        Of a file that may have changed meanwhile only the content is noted.
        """
        with suppress(OSError):
            same = _identity(os.fstat(file.fileno())) == _identity(before)
            settled = same and _is_settled(before, began_ns) and not _is_mapped(before)
            identity = _identity(before) if settled else f"0 0 {before.st_size} 0 0"
            line = f"{identity} {samples} {sha256}\n".encode()
            if b"\n" + line in self._notes:
                return
            if len(self._notes) + len(line) > _MAX_BYTES:
                self._forget_half()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            descriptor = open_file(self._path, flags, self._store)
            try:
                os.write(descriptor, line)  # lines of other processes stay whole
            finally:
                os.close(descriptor)

    def _forget_half(self) -> None:
        draft = self._path.with_name(f"{self._path.name}-{new_suffix(6)}.tmp")
        try:
            with os.fdopen(open_file(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._store), "wb") as file:
                file.write(self._notes[self._notes.index(b"\n", len(self._notes) // 2) + 1 :])
            rename(draft, self._path, self._store)
        finally:
            drop(draft, self._store)


def samples_of(file: FileIO, size: int) -> str:
    """Return a hash of a file's size and of parts spread over it; the place in the file stays.

    Raises:
        OSError: it can't be read.
    """
    import hashlib  # which takes long to import: a script that keeps no file needs it not

    digest = hashlib.sha256(str(size).encode())
    for number in range(_SAMPLES):
        place = max(0, size - _SAMPLE_BYTES) * number // (_SAMPLES - 1)
        digest.update(os.pread(file.fileno(), _SAMPLE_BYTES, place))
    return digest.hexdigest()[:32]


def _identity(status: os.stat_result) -> str:
    return " ".join(map(str, state_of(status)))


def _last_word(notes: Notes, place: int) -> str | None:
    """Return the hash at the end of the line at a place; None if the line is damaged."""
    word = notes[place : place + _LINE_BYTES].partition(b"\n")[0].rpartition(b" ")[2]
    is_hash = len(word) == 64 and not word.strip(b"0123456789abcdef")
    return word.decode() if is_hash else None


def _is_settled(status: os.stat_result, began_ns: int) -> bool:
    """Return True if a file that was written again since would have another time now."""
    latest = max(status.st_mtime_ns, status.st_ctime_ns)
    coarse = latest % 1_000_000 == 0
    return began_ns - latest > (_COARSE_SLACK_NS if coarse else _SLACK_NS) and time.time_ns() >= began_ns


def _is_mapped(status: os.stat_result) -> bool:
    """Return True if this process can write into a file by its memory, which leaves the file's times as they are."""
    try:
        maps = Path("/proc/self/maps").read_bytes()
    except OSError:
        return False
    inode = str(status.st_ino).encode()
    fields = (line.split(None, 5) for line in maps.splitlines() if inode in line)  # range, rw-s, offset, device, inode
    return any(item[1][1:2] == b"w" and item[1][3:4] == b"s" and item[4] == inode for item in fields)
