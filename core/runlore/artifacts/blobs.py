"""Files kept by their content: `blobs/ab/abcdef…`, named by sha256, read-only, each content once."""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath

from runlore._ids import new_suffix
from runlore.errors import ArtifactNotFound, UnsafePath

Proceed = Callable[[], None]  # called between pieces of a file; raises to end the work

_PIECE_BYTES = 1 << 20  # of a file that is hashed or copied
_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file, where the file system can


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an artifact: its path within the artifact, with forward slashes, its size in bytes and its hash."""

    path: str
    size: int
    sha256: str


class Blobs:
    """The contents that a store keeps. Many processes may use it at once: a blob appears whole, by a rename."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Return the path of a content, kept or not."""
        return self.root / sha256[:2] / sha256

    def holds(self, sha256: str) -> bool:
        """Return True if a content is kept."""
        return self.path(sha256).exists()

    def put_bytes(self, data: bytes) -> str:
        """Keep some bytes; return their sha256.

        Raises:
            OSError: no room, or the store is read-only.
        """
        digest = hashlib.sha256(data).hexdigest()
        target = self.path(digest)
        if not _has_size(target, len(data)):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = target.parent / f".{new_suffix(6)}.tmp"
            try:
                draft.write_bytes(data)
                self._settle(draft, target)
            finally:
                draft.unlink(missing_ok=True)
        return digest

    def put_file(self, source: Path, max_bytes: int | None = None, proceed: Proceed | None = None) -> Member:
        """Keep a file's content: its blocks shared where the file system can do that, else a copy.

        The kept bytes are hashed, so that a file that changes meanwhile is never recorded under a wrong hash. A file
        above `max_bytes` is not copied; `proceed` is called between pieces.

        Raises:
            OSError: the file can't be read, is no regular file or above `max_bytes`, or there is no room.
        """
        draft = self.root / f".{os.getpid()}-{new_suffix(6)}.tmp"
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            size, digest = _copy_hashing(source, draft, max_bytes, proceed)
            target = self.path(digest)
            if not _has_size(target, size):
                target.parent.mkdir(mode=0o700, exist_ok=True)
                self._settle(draft, target)
        finally:
            draft.unlink(missing_ok=True)
        return Member(source.name, size, digest)

    def put_folder(self, folder: Path, max_bytes: int | None = None, proceed: Proceed | None = None) -> list[Member]:
        """Keep the files below a folder, at most `max_bytes` of copies in all; see `put_file` and `list_files`.

        Raises:
            OSError: a file can't be read, the copies would be above `max_bytes`, or there is no room.
        """
        members = []
        for path in list_files(folder):
            kept = self.put_file(path, max_bytes, proceed)
            max_bytes = None if max_bytes is None else max_bytes - kept.size
            members.append(Member(path.relative_to(folder).as_posix(), kept.size, kept.sha256))
        return members

    def read(self, sha256: str) -> bytes:
        """Return a content.

        Raises:
            ArtifactNotFound: it was not kept, or is damaged.
        """
        try:
            data = self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise ArtifactNotFound(f"the content {sha256!r} is not in this store") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ArtifactNotFound(f"the content {sha256!r} is damaged on the disk")
        return data

    def restore(self, members: list[Member], target: Path) -> None:
        """Write files below `target`, byte for byte; see `restore_files`."""
        files = [(member, self.path(member.sha256)) for member in members]
        restore_files(files, target, "is not in this store", "is damaged on the disk")

    def _settle(self, draft: Path, target: Path) -> None:
        draft.chmod(0o400)
        draft.rename(target)


def restore_files(files: list[tuple[Member, Path]], target: Path, gone: str, changed: str) -> None:
    """Write files below `target`, each a copy of the path beside it; `gone` and `changed` end the error messages.

    Raises:
        UnsafePath: a recorded path would lead outside; nothing was written.
        ArtifactNotFound: a content is not there (nothing was written), or is not the recorded one.
        OSError: it can't be written.
    """
    places = [safe_join(target, member.path) for member, _ in files]
    for member, source in files:
        if not source.is_file():
            raise ArtifactNotFound(f"the content of {member.path!r} ({member.sha256}) {gone}")
    for (member, source), place in zip(files, places, strict=True):
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".{place.name[:80]}.{new_suffix(4)}.tmp")
        try:
            if _copy_hashing(source, draft)[1] != member.sha256:
                raise ArtifactNotFound(f"the content of {member.path!r} ({member.sha256}) {changed}")
            draft.rename(place)
        finally:
            draft.unlink(missing_ok=True)


def _has_size(path: Path, size: int) -> bool:
    """Return True if a content is kept whole: a machine that went down may have left an empty file.

    Its time becomes now, so that nobody who frees room removes it before a log names it.
    """
    try:
        if path.stat().st_size != size:
            return False
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:  # somebody else's file, or a read-only store
        return True
    return True


def safe_join(folder: Path, recorded: str) -> Path:
    """Return the place of a recorded path below `folder`.

    Raises:
        UnsafePath: the path is absolute, has "..", a drive or a backslash, or leads outside through a link.
    """
    parts = PurePosixPath(recorded).parts
    if (
        not parts
        or recorded.startswith("/")
        or ".." in parts
        or "\\" in recorded
        or parts[0][1:2] == ":"
        or "\0" in recorded
    ):
        raise UnsafePath(f"the recorded path {recorded!r} would lead outside {str(folder)!r}: not restored")
    place = folder.joinpath(*parts)
    if not place.parent.resolve().is_relative_to(folder.resolve()):
        raise UnsafePath(f"{recorded!r} leads outside {str(folder)!r} through a link: not restored")
    return place


def open_regular(path: Path) -> FileIO:
    """Open a file to read its bytes. Unlike `open` it never waits, as it would for the writer of a pipe.

    Raises:
        OSError: it can't be read, or is a folder, a pipe, a socket or a device.
    """
    file = FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file")
    return file


def list_files(folder: Path) -> list[Path]:
    """Return the regular files below a folder, sorted by path. Links are followed to files, not to folders."""
    return [path for path in _walk(folder) if path.is_file()]


def list_special(folder: Path) -> list[Path]:
    """Return the pipes, sockets and devices below a folder, sorted by path."""
    return [path for path in _walk(folder) if path.exists() and not path.is_file()]


def _walk(folder: Path) -> list[Path]:
    """Return everything below a folder but folders and links to folders."""
    found = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def folder_sha256(members: list[Member]) -> str:
    """Return the hash of a folder: that of the lines "<sha256>  <path>" of its files, sorted."""
    lines = sorted(f"{member.sha256}  {member.path}\n" for member in members)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def hash_file(path: Path, proceed: Proceed | None = None) -> str:
    """Return the sha256 of a file's content; `proceed` is called between pieces.

    Raises:
        OSError: it can't be read, or is no regular file.
    """
    with open_regular(path) as file:
        if proceed is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            proceed()
        return digest.hexdigest()


def _copy_hashing(
    source: Path, target: Path, max_bytes: int | None = None, proceed: Proceed | None = None
) -> tuple[int, str]:
    """Copy a file and hash the bytes that were written; return size and sha256."""
    digest = hashlib.sha256()
    size = 0
    with open_regular(source) as reader, target.open("x+b", buffering=0) as writer:
        shared = False
        with suppress(OSError):
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
            shared = True
        if not shared and max_bytes is not None and os.fstat(reader.fileno()).st_size > max_bytes:
            raise OSError(errno.EFBIG, f"larger than the {max_bytes >> 20:,} MiB that a copy may have here")
        origin = writer if shared else reader
        while piece := origin.read(_PIECE_BYTES):
            if proceed is not None:
                proceed()
            digest.update(piece)
            size += len(piece)
            if not shared:
                _write_all(writer.fileno(), piece)
    return size, digest.hexdigest()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
