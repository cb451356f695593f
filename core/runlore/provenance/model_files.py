"""Model files, which may come from anybody, read within one budget for each.

The limits are several times what the largest honest files need; docs/security.md names both.
"""

import hashlib
import io
import os
import struct
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Literal, cast

from runlore.artifacts.copying import open_regular
from runlore.hookspecs import ModelFile, Tensor
from runlore.provenance.apart import Apart

MAX_STEPS = (
    8_000_000  # operations of an unpickler, items looked at; 20,000 tensors with the state of Adam take 2,500,000
)
MAX_NAMES = 32 << 20  # characters of names in all
MAX_TENSORS = 200_000
MAX_SETS = 1_000  # models in one file
MAX_DIMENSIONS = 64  # as in torch
MAX_TEXT = 64  # characters of the name of a type
EXPANDED = 64 << 20  # bytes that may be read beyond those of the file, as those of expanded or packed tensors are
TIMES = 4  # how often the bytes of a file may be read, or what they unpack to be larger
DENSE = 4 << 30  # bytes that a file may have without taking any room on the disk
SECONDS = 20.0  # of computing, beside those for the bytes
BYTES_A_SECOND = 50 << 20
MAX_DIRECTORY = 32 << 20  # bytes of a zip archive's directory: 300,000 files
MAX_READ = 512 << 20  # bytes read at once
PIECE = 1 << 20
_LOCAL_HEADER = struct.Struct("<26xHH")


class OpenModelFile(ModelFile):
    """An open model file with what is left of its budget."""

    def __init__(self, file: io.FileIO, apart: Apart | None = None) -> None:
        status = os.fstat(file.fileno())
        on_disk = getattr(status, "st_blocks", status.st_size) * 512
        weighed = min(status.st_size, DENSE + TIMES * on_disk)  # holes cost nothing to make
        self.size = status.st_size
        self._file = file
        self._apart = apart
        self._limits = {"steps": MAX_STEPS, "names": MAX_NAMES, "bytes": EXPANDED + TIMES * weighed}
        self._left = dict(self._limits)
        self._seconds = SECONDS + weighed / BYTES_A_SECOND
        self._end = time.thread_time() + self._seconds
        self._archive: zipfile.ZipFile | None = None  # once its directory was read

    def spend(self, what: Literal["steps", "names", "bytes"], amount: int = 1) -> None:
        """Charge steps, characters of names, or bytes."""
        self._left[what] -= max(amount, 0)
        if self._left[what] < 0:
            raise ValueError(f"it takes more than {self._limits[what]:,} {what} to read")
        if time.thread_time() > self._end:
            raise ValueError(f"it takes more than {self._seconds:.0f} seconds of computing to read")

    def shape(self, lengths: Any) -> tuple[int, ...]:
        """Return lengths that the file names as a shape; ValueError for those that no tensor has."""
        if not isinstance(lengths, list | tuple) or len(lengths) > MAX_DIMENSIONS:
            raise ValueError("a tensor has no shape")
        self.spend("steps", len(lengths))
        if any(type(length) is not int or not 0 <= length < 1 << 63 for length in lengths):
            raise ValueError("a tensor has an impossible shape")
        return tuple(lengths)

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the file, fewer at its end."""
        if start < 0 or not 0 <= length <= MAX_READ:
            raise ValueError(f"{length:,} bytes of it would be read at once")
        length = max(min(length, self.size - start), 0)
        self.spend("bytes", length)
        if not length:
            return b""  # a system refuses places that no file has
        self._file.seek(start)
        pieces = []
        while length and (piece := self._file.read(length)):
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    def sha256(self, start: int, length: int) -> str:
        """Return the hash of bytes of the file, all of which must be there."""
        if start < 0 or length < 0 or start + length > self.size:
            raise ValueError("values reach beyond the file")
        digest = hashlib.sha256()
        while length:
            piece = self.read(start, min(length, PIECE))
            if not piece:
                raise ValueError("it shrank while it was read")
            digest.update(piece)
            start += len(piece)
            length -= len(piece)
        return digest.hexdigest()

    def opened(self, start: int = 0, length: int | None = None) -> BinaryIO:
        """Return a part of the file as a file of its own."""
        return cast(BinaryIO, _Window(self, start, self.size - start if length is None else length))

    def members(self) -> Mapping[str, tuple[int, int] | None] | None:
        """Return the files in a zip archive; None for another kind of file."""
        window = _Window(self, 0, self.size, MAX_DIRECTORY)
        if not zipfile.is_zipfile(window):
            return None
        self._archive = zipfile.ZipFile(window)
        entries = self._archive.infolist()
        self.spend("steps", len(entries))
        return _Members(self, {entry.filename: entry for entry in entries})

    def member(self, name: str) -> BinaryIO:
        """Return a file of the archive, open; a compressed one lies unpacked in a file without a name."""
        if self._archive is None:
            raise ValueError("its directory was not read")
        entry = self._archive.getinfo(name)
        if entry.compress_type == zipfile.ZIP_STORED:
            return self.opened(*self.place_of(entry))
        if entry.compress_type != zipfile.ZIP_DEFLATED:
            raise ValueError(f"{name[:MAX_TEXT]!r} is packed in an unusual way")
        with ExitStack() as stack:
            unpacked = stack.enter_context(TemporaryFile())
            with self._archive.open(entry) as packed:
                while piece := packed.read(PIECE):
                    self.spend("bytes", len(piece))
                    unpacked.write(piece)
            unpacked.seek(0)
            stack.pop_all()
        return cast(BinaryIO, unpacked)

    def apart(self, reader: Callable[[ModelFile], Sequence[Tensor]]) -> Sequence[Tensor]:
        """Return what a function of a module finds in the file, called in another process with the same budget."""
        if self._apart is None:
            return reader(self)
        return self._apart.read(reader, self._file.fileno(), self._seconds)

    def place_of(self, entry: zipfile.ZipInfo) -> tuple[int, int]:
        """Return where the bytes of an entry of the archive begin, and how many there are."""
        header = self.read(entry.header_offset, _LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\3\4":
            raise ValueError(f"{entry.filename[:MAX_TEXT]!r} is not in it")
        begin = entry.header_offset + _LOCAL_HEADER.size + sum(_LOCAL_HEADER.unpack(header))
        return begin, max(min(entry.file_size, self.size - begin), 0)


class _Members(Mapping[str, "tuple[int, int] | None"]):
    """The files in an archive by their names; where one begins is read when it is asked for."""

    def __init__(self, file: OpenModelFile, entries: Mapping[str, zipfile.ZipInfo]) -> None:
        self._file = file
        self._entries = entries

    def __getitem__(self, name: str) -> tuple[int, int] | None:
        entry = self._entries[name]
        return self._file.place_of(entry) if entry.compress_type == zipfile.ZIP_STORED else None

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries


class _Window(io.RawIOBase):
    """A part of a model file as a file of its own; `most` is what may be read at once."""

    def __init__(self, file: OpenModelFile, start: int, length: int, most: int = MAX_READ) -> None:
        self._model = file
        self._start = start
        self._length = max(length, 0)
        self._most = most
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence]
        if base + offset < 0:
            raise OSError("it begins later")
        self._at = base + offset
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        left = max(self._length - self._at, 0)
        wanted = left if count is None or count < 0 else min(count, left)
        if wanted > self._most:
            raise ValueError(f"{wanted:,} bytes of it would be read at once")
        found = self._model.read(self._start + self._at, wanted)
        self._at += len(found)
        return found

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and (piece := self.read(min(len(view) - done, PIECE))):
            view[done : done + len(piece)] = piece
            done += len(piece)
        return done


@contextmanager
def open_model(path: Path, apart: Apart) -> Iterator[OpenModelFile]:
    """Open a model file; what it can't be trusted with in this process is read in that one.

    Raises:
        OSError: it can't be read, or is no regular file.
    """
    with open_regular(path) as file:
        yield OpenModelFile(file, apart)


def check(found: Mapping[str, Sequence[Tensor]], file: OpenModelFile) -> None:
    """Make sure that what a reader found is what a model has, so that comparing it costs little.

    Raises:
        ValueError: it is not.
    """
    if len(found) > MAX_SETS:
        raise ValueError(f"it has more than {MAX_SETS:,} models")
    if sum(map(len, found.values())) > MAX_TENSORS:
        raise ValueError(f"it has more than {MAX_TENSORS:,} tensors")
    for tensor in (tensor for tensors in found.values() for tensor in tensors):
        file.shape(tensor.shape)
        file.spend("names", len(tensor.name))
        if len(tensor.dtype) > MAX_TEXT or len(tensor.sha256) > MAX_TEXT:
            raise ValueError(f"{tensor.name[:MAX_TEXT]!r} has no type")
