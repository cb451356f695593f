"""Files read once: to be hashed, or to be hashed and copied side by side."""

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader, FileIO
from pathlib import Path

from runlore._inside import is_hollow
from runlore._threads import OwnThread
from runlore.errors import ArtifactNotFound


class NoFile(OSError):
    """A folder, pipe, socket or device is where a file should be read."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "it is no regular file")


Proceed = Callable[[], None]  # called between pieces of a file; raises to end the work

FREE_HOLES = 4 << 30  # bytes of holes that a content may have and be read
_PIECE_BYTES = 1 << 20  # of a file that is hashed or copied
_BLOCK_BYTES = 512  # by which the system counts what a file occupies
_PIECES = 4  # that are on their way to the disk
_BESIDE_BYTES = 8 << 20  # of a file from which on its copy is written by a thread of its own
_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file, where the file system can


def open_regular(path: Path) -> FileIO:
    """Open a file to read its bytes. Unlike `open` it never waits, as it would for the writer of a pipe.

    Raises:
        NoFile: it is a folder, a pipe, a socket or a device.
        OSError: it can't be read.
    """
    file = FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NoFile
    return file


def check_dense(file: FileIO | BufferedReader, name: str, sha256: str) -> None:
    """Look whether a content, open as `file`, is mostly holes, which cost nothing to make, before all of it is read.

    Raises:
        ArtifactNotFound: it is; the message tells how to copy it.
    """
    if is_hollow(file.fileno(), FREE_HOLES):
        size = os.fstat(file.fileno()).st_size
        raise ArtifactNotFound(
            f"the content of {name!r} ({sha256}) has {size:,} bytes, most of them holes, and is not read, as that "
            "takes long: if you trust it, copy it by `cp --sparse=always` from the store's `blobs`, or its place"
        )


def can_read(path: Path) -> bool:
    """Return True if a file is a regular one, and its first byte can be read."""
    try:
        with open_regular(path) as file:
            file.read(1)
    except OSError:
        return False
    return True


def hash_file(path: Path, proceed: Proceed | None = None) -> str:
    """Return the sha256 of a file's content; `proceed` is called between pieces.

    Raises:
        OSError: it can't be read, or is no regular file.
    """
    with open_regular(path) as file:
        return hash_open(file, proceed)[1]


def hash_open(file: FileIO, proceed: Proceed | None = None) -> tuple[int, str]:
    """Return size and sha256 of what is left to read of an open file.

    Raises:
        OSError: it can't be read.
    """
    import hashlib  # which takes long to import: a script that keeps no file needs it not

    digest = hashlib.sha256()
    size = 0
    buffer = memoryview(bytearray(_PIECE_BYTES))
    while count := file.readinto(buffer):
        digest.update(buffer[:count])
        size += count
        if proceed is not None:
            proceed()
    return size, digest.hexdigest()


def copy_hashing(
    reader: FileIO, writer: FileIO, max_bytes: int | None = None, proceed: Proceed | None = None
) -> tuple[int, str]:
    """Copy an open file to another, open to be read and written; return size and sha256 of what is written.

    Above `max_bytes` it is copied only where the file system shares the blocks; `proceed` is called between pieces.

    Raises:
        OSError: it can't be read, is above `max_bytes`, or can't be written.
    """
    with suppress(OSError):
        fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        return hash_open(writer, proceed)
    status = os.fstat(reader.fileno())
    size = status.st_size
    if max_bytes is not None and size > max_bytes:
        raise OSError(errno.EFBIG, f"larger than the {max_bytes >> 20:,} MiB that a copy may have here")
    has_holes = 0 < size - status.st_blocks * _BLOCK_BYTES <= FREE_HOLES  # with more it could not be read back
    copy = _Copy(writer.fileno(), beside=size >= _BESIDE_BYTES, has_holes=has_holes)
    try:
        found = _hash_copying(reader, copy, proceed)
    finally:
        copy.end()
    copy.check()
    if has_holes:
        os.ftruncate(writer.fileno(), found[0])  # a hole at the end was not written
    return found


def _hash_copying(reader: FileIO, copy: "_Copy", proceed: Proceed | None) -> tuple[int, str]:
    import hashlib  # which takes long to import: a script that keeps no file needs it not

    digest = hashlib.sha256()
    size = 0
    while count := reader.readinto(buffer := copy.buffer()):
        piece = buffer[:count]
        copy.write(piece)
        digest.update(piece)
        size += count
        if proceed is not None:
            proceed()
    return size, digest.hexdigest()


class _Copy:
    """Writes pieces of a file: `beside` on a thread of its own, while the caller hashes them, or else at once.

    Of a file that `has_holes`, pieces without content become holes again.
    """

    def __init__(self, descriptor: int, *, beside: bool, has_holes: bool) -> None:
        self._descriptor = descriptor
        self._hole = bytes(_PIECE_BYTES if has_holes else 0)
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None
        self._alone = memoryview(bytearray(_PIECE_BYTES))
        if beside:
            from queue import SimpleQueue

            self._free = SimpleQueue[memoryview]()  # buffers whose bytes are written
            self._full = SimpleQueue[memoryview | None]()
            for _ in range(_PIECES):
                self._free.put(memoryview(bytearray(_PIECE_BYTES)))
            thread = OwnThread(self._work, "runlore-copy")
            with suppress(RuntimeError):  # no thread to be had
                thread.start()
                self._thread = thread

    def buffer(self) -> memoryview:
        """Return a buffer for the next piece.

        Raises:
            OSError: an earlier piece could not be written.
        """
        self.check()
        return self._alone if self._thread is None else self._free.get()

    def write(self, piece: memoryview) -> None:
        """Write a piece, which must not change any more.

        Raises:
            OSError: it can't be written.
        """
        if self._thread is None:
            self._put(piece)
        else:
            self._full.put(piece)

    def end(self) -> None:
        """Wait until all is written, or nothing more can be."""
        if self._thread is not None:
            self._full.put(None)
            self._thread.join()

    def check(self) -> None:
        """Raise the error of a piece that could not be written.

        Raises:
            OSError: there is one.
        """
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (piece := self._full.get()) is not None:
            if self._error is None:
                try:
                    self._put(piece)
                except OSError as error:
                    self._error = error
            self._free.put(memoryview(piece.obj))

    def _put(self, piece: memoryview) -> None:
        if self._hole and piece.tobytes() == self._hole[: len(piece)]:
            os.lseek(self._descriptor, len(piece), os.SEEK_CUR)
        else:
            _write_all(self._descriptor, piece)


def _write_all(descriptor: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece) :]
