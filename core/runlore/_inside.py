"""Files and folders inside a store, reached without following a link: somebody else may have made it.

The store's own folder may be reached through links, as people link it. What lies below is opened one component after
the other, each relative to the one before, so that nobody who may write there can put a link in the way meanwhile. Only
regular files are opened, and nothing waits for the writer of a pipe.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from io import BufferedReader
from pathlib import Path

from runlore._streams import FOLDER, open_beside_streams

StrPath = str | os.PathLike[str]  # what each run asks for is given as a text: to make a Path takes longer

PIECE_BYTES = 1 << 20  # of a file that is read at a time
FREE_HOLES = 64 << 20  # bytes of a file that may be holes, and so many times what is written of it:
TIMES_WRITTEN = 4
MAX_DEPTH = 6  # of folders below one of a store; its own lie at most 3 deep
_ODD = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV)  # errors of links, sockets and the like


class OddFile(OSError):
    """A link, pipe, device or folder lies where a store has a file, or a link where it has a folder."""

    def __init__(self, path: StrPath, what: str = "file") -> None:
        super().__init__(errno.EINVAL, f"{str(path)!r} is no regular {what} of the store", str(path))

    def __str__(self) -> str:
        return str(self.strerror)


def store_of(path: StrPath) -> Path:
    """Return the store that a file of a run lies in; of any other file its folder."""
    return Path(_store_text(os.fspath(path)))


@contextmanager
def folder(path: StrPath, root: StrPath) -> Iterator[int]:
    """Open a folder in the store `root`, for what needs a descriptor of it.

    Raises:
        OddFile: it is none, or is reached through a link.
        OSError: there is none, or it can't be entered.
    """
    start = os.fspath(root)
    descriptor = _descend(start, _parts(path, start), path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def opened(above: int | None, path: StrPath, root: StrPath | None = None) -> AbstractContextManager[int]:
    """Return a block with the folder of a file opened; it is `above` where the caller has opened it already.

    The file lies in the store `root`, or (None) in the one that it lies in as a file of a run.

    Raises:
        OddFile: it is none, or is reached through a link.
        OSError: there is none, or it can't be entered.
    """
    if above is not None:
        return nullcontext(above)
    whole = os.fspath(path)
    return folder(_folder_of(whole), _store_text(whole) if root is None else root)


def open_file(
    path: StrPath, root: StrPath | None, flags: int = os.O_RDONLY, mode: int = 0o600, *, above: int | None = None
) -> int:  # fmt: skip
    """Open a regular file in the store `root`; return its descriptor. With O_CREAT it is made with its final mode.

    `above` is the folder of the file, where the caller has opened it.

    Raises:
        OddFile: it is no regular file, or is reached through a link.
        OSError: there is none, or it can't be opened.
    """
    if above is None:  # by hand, as a block for each file takes longer
        start = _store_text(os.fspath(path)) if root is None else os.fspath(root)
        *parts, name = _parts(path, start)
        entered = _descend(start, parts, path)
    else:
        entered, name = above, name_of(path)
    try:
        if not flags & os.O_CREAT and not stat.S_ISREG(_status(name, entered, path).st_mode):
            raise OddFile(path)  # to open a device may do something already
        found = open_beside_streams(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, mode, entered)
    except OSError as error:
        raise (OddFile(path) if error.errno in _ODD else error) from None
    finally:
        if above is None:
            os.close(entered)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise OddFile(path)
    return found


def open_binary(path: StrPath, root: StrPath | None = None, *, above: int | None = None) -> BufferedReader:
    """Open a regular file for reading; see `open_file`. Without `root` it lies in a store as a file of a run.

    Raises:
        OddFile: it is no regular file, or is reached through a link.
        OSError: there is none, or it can't be read.
    """
    return open(path, "rb", opener=lambda _, flags: open_file(path, root, flags, above=above))  # noqa: PTH123, SIM115


def read_bytes(path: Path, root: Path | None, most: int, *, above: int | None = None) -> bytes:
    """Return the content of a regular file, at most so many bytes from its beginning; see `open_binary`.

    Raises:
        OddFile: it is no regular file, or is reached through a link.
        OSError: there is none, or it can't be read.
    """
    descriptor = open_file(path, root, above=above)
    try:
        found = os.read(descriptor, min(most, PIECE_BYTES))
        while len(found) < most and (piece := os.read(descriptor, min(most - len(found), PIECE_BYTES))):
            found += piece
        return found
    finally:
        os.close(descriptor)


def pieces(path: StrPath, root: StrPath | None = None, *, above: int | None = None) -> Iterator[bytes]:
    """Yield a regular file (see `open_file`) in pieces of bounded size; each hole, which reads as zeros, as one zero.

    Raises:
        OddFile: it is no regular file, or is reached through a link.
        OSError: there is none, or it can't be read.
    """
    descriptor = open_file(path, root, above=above)
    try:
        place = 0
        for begin, end in extents(descriptor):
            if begin > place:
                yield b"\0"
            place = begin
            while place < end and (piece := os.pread(descriptor, min(PIECE_BYTES, end - place), place)):
                yield piece
                place += len(piece)
    finally:
        os.close(descriptor)


def extents(descriptor: int) -> list[tuple[int, int]]:
    """Return where the parts of an open file between its holes begin and end; the whole file where no system tells.

    Raises:
        OSError: it is no file of the system.
    """
    size = end = os.fstat(descriptor).st_size
    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    found = []
    begin = 0
    while begin < size:
        try:
            begin = os.lseek(descriptor, begin, os.SEEK_DATA)
            end = os.lseek(descriptor, begin, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # there is no data behind
                break
            end = size
        found.append((begin, end))
        begin = end
    os.lseek(descriptor, place, os.SEEK_SET)
    return found


def is_hollow(descriptor: int, free: int = FREE_HOLES) -> bool:
    """Return True if the most of an open file is holes, which cost nothing to make, and time to read.

    `free` is how many bytes of them any file may have.

    Raises:
        OSError: it is no file of the system.
    """
    size = os.fstat(descriptor).st_size
    return size > free and free + TIMES_WRITTEN * sum(b - a for a, b in extents(descriptor)) < size


def status_of(path: Path, root: Path) -> os.stat_result:
    """Return the status of what lies in a folder of the store `root`; a link's own.

    Raises:
        OddFile: it is reached through a link.
        OSError: there is nothing, or it can't be looked at.
    """
    with folder(path.parent, root) as above:
        return _status(path.name, above, path)


def state_of(status: os.stat_result) -> tuple[int, ...]:
    """Return what tells one state of a file from another one: device, inode, size, and the times of content and inode.

    The time of the content alone does not: on many disks its clock moves every 4 ms.
    """
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def is_regular(path: StrPath) -> bool:
    """Return True for a regular file in a folder, neither of them a link."""
    try:
        above = os.lstat(_folder_of(os.fspath(path)))  # noqa: PTH116
        return stat.S_ISREG(os.lstat(path).st_mode) and stat.S_ISDIR(above.st_mode)  # noqa: PTH116
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return False


def list_names(path: Path, root: Path) -> list[str]:
    """Return the names in a folder of the store `root`.

    Raises:
        OddFile: it is none, or is reached through a link.
        OSError: there is none, or it can't be listed.
    """
    with listed(path, root) as place:
        return os.listdir(place)


def list_folders(path: Path, root: Path) -> dict[str, int]:
    """Return the folders in a folder of the store `root`, without links: the mtime in ns of each, by its name.

    Raises:
        OddFile: it is none, or is reached through a link.
        OSError: there is none, or it can't be listed.
    """
    found = {}
    with listed(path, root) as place, os.scandir(place) as entries:
        for entry in entries:
            try:  # a block of `suppress` takes as long as the look
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # it was removed meanwhile
                continue
            if stat.S_ISDIR(status.st_mode):
                found[entry.name] = status.st_mtime_ns
    return found


def walk(
    path: Path, root: Path, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what lies below a folder of the store `root` and is no folder, each with its status; links as themselves.

    Passed over are names that are not `wanted`, and folders that lie deeper than any of a store or can't be listed.

    Raises:
        OddFile: it is none, or is reached through a link.
    """
    with suppress(FileNotFoundError), listed(path, root) as top:
        yield from _walk(path, top, wanted, MAX_DEPTH)


def _walk(path: Path, top: int, wanted: Callable[[str], bool], depth: int) -> Iterator[tuple[Path, os.stat_result]]:
    with os.scandir(top) as entries:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in found:
        if not is_folder and wanted(name):
            with suppress(FileNotFoundError):
                yield path / name, os.stat(name, dir_fd=top, follow_symlinks=False)
    for name, is_folder in found if depth else ():
        if is_folder:
            with suppress(PermissionError, FileNotFoundError, OddFile), _listed_below(name, top, path) as below:
                yield from _walk(path / name, below, wanted, depth - 1)


def remove_tree(path: Path, root: Path) -> None:
    """Remove a folder of the store `root` with what `walk` finds below it.

    Raises:
        OddFile: it is none, or is reached through a link.
        OSError: the system refuses, or something lies deeper.
    """
    for found, _ in walk(path, root):
        unlink(found, root)
    remove_empty_folders(path, root)
    with folder(path.parent, root) as above:
        os.rmdir(path.name, dir_fd=above)


def remove_empty_folders(path: Path, root: Path) -> None:
    """Remove the empty folders below a folder of the store `root`."""
    with suppress(OSError), listed(path, root) as top:
        _remove_empty(path, top, MAX_DEPTH)


def _remove_empty(path: Path, top: int, depth: int) -> None:
    with os.scandir(top) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    for name in names:
        with suppress(OSError):
            if depth:
                with _listed_below(name, top, path) as below:
                    _remove_empty(path / name, below, depth - 1)
            os.rmdir(name, dir_fd=top)  # unless it is not empty


def rename(source: StrPath, target: StrPath, root: StrPath | None = None, *, above: int | None = None) -> None:
    """Rename a file or folder of the store `root`, or (None) of the one of a run's files, within it.

    `above` is the folder of both, where the caller has opened it.

    Raises:
        OddFile: one of them is reached through a link.
        OSError: the system refuses.
    """
    if above is not None:
        os.rename(name_of(source), name_of(target), src_dir_fd=above, dst_dir_fd=above)
        return
    store = _store_text(os.fspath(target)) if root is None else root
    with opened(None, source, store) as here, opened(None, target, store) as there:
        os.rename(name_of(source), name_of(target), src_dir_fd=here, dst_dir_fd=there)


def drop(path: StrPath, root: StrPath | None = None, *, above: int | None = None) -> None:
    """Remove a file of a store, if it is there; see `unlink`.

    Raises:
        OddFile: it is reached through a link.
        OSError: the system refuses.
    """
    with suppress(FileNotFoundError):
        unlink(path, root, above=above)


def unlink(path: StrPath, root: StrPath | None = None, *, above: int | None = None) -> None:
    """Remove a file of a store; see `open_binary`.

    Raises:
        OddFile: it is reached through a link.
        OSError: there is none, or the system refuses.
    """
    with opened(above, path, root) as above:
        os.unlink(name_of(path), dir_fd=above)


@contextmanager
def listed(path: Path, root: Path) -> Iterator[int]:
    """Open a folder whose names can be read, and whose mode changed, which `folder` does not ask for.

    Raises:
        OddFile: it is none, or is reached through a link.
        OSError: there is none, or it can't be listed.
    """
    with folder(path, root) as place, _listed_below(".", place, path) as listed:
        yield listed


@contextmanager
def _listed_below(name: str, above: int, path: Path) -> Iterator[int]:
    listed = _enter(name, above, path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield listed
    finally:
        os.close(listed)


def _store_text(whole: str) -> str:
    parts = whole.rsplit(os.sep, 4)
    if parts[-4:-3] == ["runs"]:
        return parts[0] or os.sep if len(parts) == 5 else "."
    return _folder_of(whole)


def _folder_of(whole: str) -> str:
    above = whole.rpartition(os.sep)[0]
    return above or (os.sep if whole.startswith(os.sep) else ".")


def name_of(path: StrPath) -> str:
    """Return the last component of a path."""
    return os.fspath(path).rpartition(os.sep)[2]


def _parts(path: StrPath, start: str) -> list[str]:
    """Return the components of a path below a store.

    Raises:
        OddFile: it lies elsewhere, or names a folder above.
    """
    whole, start = os.fspath(path), "" if start == "." else start
    parts = [part for part in whole[len(start) :].split(os.sep) if part]  # noqa: PTH206
    if not whole.startswith(start) or ".." in parts:
        raise OddFile(path)
    return parts


def _descend(root: str, parts: list[str], path: StrPath) -> int:
    """Open a folder of a store, each of its components relative to the one before but for the first; see `folder`."""
    descriptor = _enter(f"{root}/{parts[0]}", None, path) if parts else os.open(root, FOLDER)
    try:
        for part in parts[1:]:
            above, descriptor = descriptor, _enter(part, descriptor, path)
            os.close(above)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _enter(name: str, above: int | None, path: StrPath, flags: int = FOLDER) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=above)
    except OSError as error:
        raise (OddFile(path, "folder") if error.errno in _ODD else error) from None


def _status(name: str, above: int, path: StrPath) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=above, follow_symlinks=False)
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from None
