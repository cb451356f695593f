"""Files of ours among the user's descriptors: none gets the number of a standard stream, and none is taken for another.

A program may close all descriptors, as those do that become daemons, and open files of its own under their numbers.
"""

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC  # opened to reach what is in it
STREAMS = range(3)  # descriptors of stdin, stdout and stderr
HIGH = 512  # from here on few programs have files, as each gets the lowest number that is free


def open_beside_streams(path: str | Path, flags: int, mode: int = 0o666, above: int | None = None) -> int:
    """Return a descriptor of an opened file that is none of the three standard streams; see `os.open`.

    Where these are closed, as in a daemon, a file that is opened gets their numbers: what another thread prints would
    get into it, and what fails otherwise would not. Meanwhile something takes them that nobody can read or write.

    Raises:
        OSError: it can't be opened, or there are no descriptors left.
    """
    flags |= os.O_CLOEXEC
    if _streams.are_open():
        return os.open(path, flags, mode, dir_fd=above)
    with _streams.taken():
        return os.open(path, flags, mode, dir_fd=above)


def to_stay_open(descriptor: int) -> int:
    """Return another descriptor of a file that stays open, and close this one: its number is not given to others.

    Where that is closed by somebody else, writing to it fails, instead of reaching a file of theirs.
    """
    try:
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, HIGH)
    except OSError:  # this process may not have so many
        return descriptor
    os.close(descriptor)
    return high


def file_identity(descriptor: int) -> list[int]:
    """Return device and inode of an open file, which no copy shares while both exist.

    Raises:
        OSError: it is not open, or its disk is gone.
    """
    status = os.fstat(descriptor)
    return [status.st_dev, status.st_ino]


def is_still(descriptor: int, known: list[int]) -> bool:
    """Return True if a descriptor is that of the file with an identity, and has not become another's."""
    try:
        return file_identity(descriptor) == known
    except OSError as error:
        return error.errno != errno.EBADF  # its disk may be gone


def close_own(descriptor: int, known: list[int]) -> None:
    """Close a descriptor, unless somebody else has closed it."""
    if is_still(descriptor, known):
        os.close(descriptor)


class _Streams:
    """The three standard streams, some of which may be closed. A forked child never holds the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns = 0  # counts up when numbers are taken, and when they are let go
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._lock.release
        )

    def are_open(self) -> bool:
        """Return True if all are open, and none was only taken by another thread while this one looked."""
        turns = self._turns
        return all(map(_is_open, STREAMS)) and turns == self._turns and turns % 2 == 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the numbers of those that are closed by descriptors that nobody can read or write."""
        with self._lock:
            self._turns += 1
            numbers: list[int] = []
            try:
                while not numbers or numbers[-1] in STREAMS:
                    numbers.append(os.open(os.sep, FOLDER))
                yield
            finally:
                for number in numbers:
                    os.close(number)
                self._turns += 1


def _is_open(descriptor: int) -> bool:
    try:
        fcntl.fcntl(descriptor, fcntl.F_GETFD)
    except OSError:
        return False
    return True


_streams = _Streams()
