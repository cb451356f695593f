"""Files and folders inside a store, reached without following a link: somebody else may have made it.

The store's own folder may be reached through links, as people link it. What lies below is opened one component after
the other, each relative to the one before, so that nobody who may write there can put a link in the way meanwhile. Only
regular files are opened, and nothing waits for the writer of a pipe.
"""

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
STREAMS = range(3)  # descriptors of stdin, stdout and stderr
_ODD = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV)  # errors of links, sockets and the like


class OddFile(OSError):
    """A link, pipe, device or folder lies where a store has a file, or a link where it has a folder."""

    def __init__(self, path: Path, what: str = "file") -> None:
        super().__init__(errno.EINVAL, f"{str(path)!r} is no regular {what} of the store", str(path))

    def __str__(self) -> str:
        return str(self.strerror)


def store_of(path: Path) -> Path:
    """Return the store that a file of a run lies in; of any other file its folder."""
    parents = path.parents
    return parents[3] if len(parents) > 3 and parents[2].name == "runs" else parents[0]


@contextmanager
def folder(path: Path, root: Path) -> Iterator[int]:
    """Open a folder in the store `root`, for what needs a descriptor of it.

    Raises:
        OddFile: it is none, or is reached through a link.
        OSError: there is none, or it can't be entered.
    """
    parts = _parts(path, root)
    descriptor = os.open(root, _FOLDER)
    try:
        for part in parts:
            above, descriptor = descriptor, _enter(part, descriptor, path)
            os.close(above)
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(path: Path, root: Path, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """Open a regular file in the store `root`; return its descriptor. With O_CREAT it is made with its final mode.

    Raises:
        OddFile: it is no regular file, or is reached through a link.
        OSError: there is none, or it can't be opened.
    """
    with folder(path.parent, root) as above:
        if not flags & os.O_CREAT and not stat.S_ISREG(_status(path.name, above, path).st_mode):
            raise OddFile(path)  # to open a device may do something already
        try:
            found = open_beside_streams(path.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, mode, above)
        except OSError as error:
            raise (OddFile(path) if error.errno in _ODD else error) from None
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise OddFile(path)
    return found


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
                    numbers.append(os.open(os.sep, _FOLDER))
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


def open_binary(path: Path, root: Path | None = None) -> BufferedReader:
    """Open a regular file for reading, in a store or (None) in the one that it lies in as a file of a run.

    Raises:
        OddFile: it is no regular file, or is reached through a link.
        OSError: there is none, or it can't be read.
    """
    store = store_of(path) if root is None else root
    return open(path, "rb", opener=lambda _, flags: open_file(path, store, flags))  # noqa: PTH123, SIM115


def read_bytes(path: Path, root: Path | None = None) -> bytes:
    """Return the content of a regular file; see `open_binary`.

    Raises:
        OddFile: it is no regular file, or is reached through a link.
        OSError: there is none, or it can't be read.
    """
    with open_binary(path, root) as file:
        return file.read()


def is_regular(path: Path) -> bool:
    """Return True for a regular file in a folder, neither of them a link."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode) and stat.S_ISDIR(os.lstat(path.parent).st_mode)
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return False


def list_names(path: Path, root: Path) -> list[str]:
    """Return the names in a folder of the store `root`.

    Raises:
        OddFile: it is none, or is reached through a link.
        OSError: there is none, or it can't be listed.
    """
    with _listed(path, root) as place:
        return os.listdir(place)


def list_folders(path: Path, root: Path) -> list[str]:
    """Return the names of the folders in a folder of the store `root`, without links.

    Raises:
        OddFile: it is none, or is reached through a link.
        OSError: there is none, or it can't be listed.
    """
    with _listed(path, root) as place, os.scandir(place) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


def walk(path: Path, root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what lies below a folder of the store `root` and is no folder, each with its status; links as themselves.

    Raises:
        OddFile: it is none, or is reached through a link.
    """
    with suppress(FileNotFoundError), folder(path, root) as top:
        for place, folders, names, descriptor in os.fwalk(".", dir_fd=top):
            folders.sort()
            for name in sorted(names):
                with suppress(FileNotFoundError):
                    yield Path(f"{path}{place[1:]}/{name}"), os.stat(name, dir_fd=descriptor, follow_symlinks=False)


def remove_empty_folders(path: Path, root: Path) -> None:
    """Remove the empty folders below a folder of the store `root`."""
    with suppress(OSError), folder(path, root) as top:
        for _, folders, _, descriptor in os.fwalk(".", topdown=False, dir_fd=top):
            for name in folders:
                with suppress(OSError):  # it is not empty
                    os.rmdir(name, dir_fd=descriptor)


def rename(source: Path, target: Path, root: Path) -> None:
    """Rename a file or folder of the store `root` within it.

    Raises:
        OddFile: one of them is reached through a link.
        OSError: the system refuses.
    """
    with folder(source.parent, root) as here, folder(target.parent, root) as there:
        os.rename(source.name, target.name, src_dir_fd=here, dst_dir_fd=there)


def unlink(path: Path, root: Path | None = None) -> None:
    """Remove a file of a store; see `open_binary`.

    Raises:
        OddFile: it is reached through a link.
        OSError: there is none, or the system refuses.
    """
    with folder(path.parent, store_of(path) if root is None else root) as above:
        os.unlink(path.name, dir_fd=above)


@contextmanager
def _listed(path: Path, root: Path) -> Iterator[int]:
    """Open a folder whose names can be read, which `folder` does not ask for."""
    with folder(path, root) as place:
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
    try:
        yield listed
    finally:
        os.close(listed)


def _parts(path: Path, root: Path) -> list[str]:
    """Return the components of a path below a store.

    Raises:
        OddFile: it lies elsewhere, or names a folder above.
    """
    whole, start = os.fspath(path), os.fspath(root)
    start = "" if start == "." else start
    if not whole.startswith(start):
        raise OddFile(path)
    parts = [part for part in whole[len(start) :].split(os.sep) if part]  # noqa: PTH206  # a Path takes twice as long
    if ".." in parts:
        raise OddFile(path)
    return parts


def _enter(name: str, above: int, path: Path) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
    except OSError as error:
        raise (OddFile(path, "folder") if error.errno in _ODD else error) from None


def _status(name: str, above: int, path: Path) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=above, follow_symlinks=False)
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from None
