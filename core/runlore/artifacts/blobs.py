"""Files by their content: `blobs/ab/abcdef…`, named by sha256, read-only, each content once."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runlore._ids import new_suffix
from runlore.errors import ArtifactNotFound, UnsafePath

PIECE = 1 << 20
Proceed = Callable[[], None]  # called between pieces; what it raises ends the work
FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file, where the file system can


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an artifact: its path within it, with forward slashes, and its content."""

    path: str
    size: int
    sha256: str


class Blobs:
    """The files of a store. Safe for many processes: a blob appears whole, by a rename."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Where a content lies, or would lie."""
        return self.root / sha256[:2] / sha256

    def holds(self, sha256: str) -> bool:
        """Whether a content is there."""
        return self.path(sha256).exists()

    def put_bytes(self, data: bytes) -> str:
        """Keep `data`; its sha256.

        Raises:
            OSError: no room, or the store is read-only.
        """
        digest = hashlib.sha256(data).hexdigest()
        target = self.path(digest)
        if not _has_size(target, len(data)):
            draft = self._draft(target)
            try:
                draft.write_bytes(data)
                self._settle(draft, target)
            finally:
                draft.unlink(missing_ok=True)
        return digest

    def put_file(self, source: Path, most: int | None = None, proceed: Proceed | None = None) -> Member:
        """Keep a copy of a file's content: shared blocks where the file system can, else a copy.

        What is hashed is what was kept, so a file that changes meanwhile is never recorded under the wrong hash.
        More than `most` bytes are not copied; `proceed` is called between pieces.

        Raises:
            OSError: the file can't be read, or there is no room.
        """
        draft = self.root / f".{os.getpid()}-{new_suffix(6)}.tmp"
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            size, digest = _copy_hashing(source, draft, most, proceed)
            target = self.path(digest)
            if not _has_size(target, size):
                target.parent.mkdir(mode=0o700, exist_ok=True)
                self._settle(draft, target)
        finally:
            draft.unlink(missing_ok=True)
        return Member(source.name, size, digest)

    def put_folder(self, folder: Path, most: int | None = None, proceed: Proceed | None = None) -> list[Member]:
        """Keep every file below a folder, sorted by path; links to folders are not followed. See `put_file`.

        Raises:
            OSError: a file can't be read, or there is no room.
        """
        members = []
        for parent, folders, names in os.walk(folder):
            folders.sort()
            for name in names:
                path = Path(parent, name)
                if path.is_file():
                    kept = self.put_file(path, most, proceed)
                    most = None if most is None else most - kept.size
                    members.append(Member(path.relative_to(folder).as_posix(), kept.size, kept.sha256))
        return sorted(members, key=lambda member: member.path)

    def read(self, sha256: str) -> bytes:
        """The content.

        Raises:
            ArtifactNotFound: it was not kept.
        """
        try:
            data = self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise ArtifactNotFound(f"the content {sha256!r} is not in this store") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ArtifactNotFound(f"the content {sha256!r} is damaged on the disk")
        return data

    def restore(self, members: list[Member], target: Path) -> None:
        """Write files below `target`, byte for byte.

        Raises:
            UnsafePath: a recorded path would lead outside; nothing has been written then.
            ArtifactNotFound: a content was not kept; nothing has been written then.
        """
        files = [(member, self.path(member.sha256)) for member in members]
        restore_files(files, target, "is not in this store", "is damaged on the disk")

    def _draft(self, target: Path) -> Path:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return target.parent / f".{new_suffix(6)}.tmp"

    def _settle(self, draft: Path, target: Path) -> None:
        draft.chmod(0o400)
        draft.rename(target)


def restore_files(files: list[tuple[Member, Path]], target: Path, gone: str, changed: str) -> None:
    """Write the files below `target`, each from the place beside it, where that still has the recorded content.

    Raises:
        UnsafePath: a recorded path would lead outside; nothing has been written then.
        ArtifactNotFound: a content is not there (nothing has been written then), or is another one by now.
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
    """Whether a content is there whole; a machine that went down may have left an empty file.

    It counts as new from now on, so that nobody who frees room removes it before a log names it.
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
    """The place of a recorded path below `folder`.

    Raises:
        UnsafePath: the path is absolute, climbs, has a drive or a backslash, or a link leads it outside.
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


def folder_sha256(members: list[Member]) -> str:
    """The hash of a folder: that of its lines "<sha256>  <relative path>", sorted."""
    lines = sorted(f"{member.sha256}  {member.path}\n" for member in members)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def hash_file(path: Path, proceed: Proceed | None = None) -> str:
    """The sha256 of a file's content; `proceed` is called between pieces.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb", buffering=0) as file:
        if proceed is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        while piece := file.read(PIECE):
            digest.update(piece)
            proceed()
        return digest.hexdigest()


def _copy_hashing(
    source: Path, target: Path, most: int | None = None, proceed: Proceed | None = None
) -> tuple[int, str]:
    """Copy a file and hash what was written; its size and sha256."""
    digest = hashlib.sha256()
    size = 0
    with source.open("rb", buffering=0) as reader, target.open("x+b", buffering=0) as writer:
        shared = False
        with suppress(OSError):
            fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
            shared = True
        if not shared and most is not None and os.fstat(reader.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"larger than the {most >> 20:,} MiB that a copy may have here")
        origin = writer if shared else reader
        while piece := origin.read(PIECE):
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
