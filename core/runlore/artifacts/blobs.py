"""Files kept by their content: `blobs/ab/abcdef…`, named by sha256, read-only, each content once."""

import errno
import hashlib
import os
import time
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from runlore._ids import new_suffix
from runlore.artifacts.copying import Proceed, can_read, copy_hashing, hash_open, open_regular
from runlore.artifacts.folders import list_files, safe_join, unescaped
from runlore.artifacts.known import MIN_BYTES, Known, samples_of
from runlore.errors import ArtifactNotFound, UnsafePath

Skipped = list[tuple[Path, OSError]]  # files that could not be read

MAX_NAMED = 20  # files or places that a message names

_ODD_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)  # errors of a name that a file system can't have


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an artifact: its path within the artifact, with forward slashes, its size in bytes and its hash.

    `executable` tells whether its owner may run it, `escaped` whether its path stands with escapes for bytes that are
    no UTF-8.
    """

    path: str
    size: int
    sha256: str
    executable: bool = False
    escaped: bool = False

    @property
    def place(self) -> str:
        """Its path as the system knows it."""
        return unescaped(self.path) if self.escaped else self.path


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

        A large file that is known and has not changed is not read, and one whose content seems to be kept is hashed
        before it is copied. The kept bytes are hashed, so that a file that changes meanwhile is never recorded under a
        wrong hash. A file above `max_bytes` is not copied; `proceed` is called between pieces.

        Raises:
            OSError: the file can't be read, is no regular file or above `max_bytes`, or there is no room.
        """
        with open_regular(source) as file:
            status = os.fstat(file.fileno())
            executable = bool(status.st_mode & 0o100)
            if status.st_size < MIN_BYTES:
                size, sha256 = self._put_open(file, max_bytes, proceed)
                return Member(source.name, size, sha256, executable)
            began_ns = time.time_ns()
            known = Known(self.root / ".known")
            same = known.sha256_of(status)
            if same is not None and _has_size(self.path(same), status.st_size):
                return Member(source.name, status.st_size, same, executable)
            samples = samples_of(file, status.st_size)
            size, sha256 = self._put_like(known.sha256_like(samples), file, max_bytes, proceed)
            known.note(file, status, began_ns, samples, sha256)
            return Member(source.name, size, sha256, executable)

    def put_folder(
        self,
        folder: Path,
        max_bytes: int | None = None,
        proceed: Proceed | None = None,
        skipped: Skipped | None = None,
    ) -> list[Member]:
        """Keep the files below a folder, at most `max_bytes` of copies in all; see `put_file` and `list_files`.

        With `skipped`, files that can't be read are put there, unless no file can be.

        Raises:
            OSError: a file can't be read, the copies would be above `max_bytes`, or there is no room.
        """
        members = []
        for path in list_files(folder):
            try:
                kept = self.put_file(path, max_bytes, proceed)
            except OSError as error:
                if skipped is None or can_read(path):
                    raise
                skipped.append((path, error))
                continue
            max_bytes = None if max_bytes is None else max_bytes - kept.size
            members.append(Member(path.relative_to(folder).as_posix(), kept.size, kept.sha256, kept.executable))
        if skipped and not members:
            raise skipped[0][1]
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

    def _put_like(
        self, like: str | None, file: FileIO, max_bytes: int | None, proceed: Proceed | None
    ) -> tuple[int, str]:
        """Keep an open file whose content may be a kept one; return size and sha256."""
        if like is not None and self.holds(like):
            size, sha256 = hash_open(file, proceed)
            if _has_size(self.path(sha256), size):
                return size, sha256
            file.seek(0)
        return self._put_open(file, max_bytes, proceed)

    def _put_open(self, file: FileIO, max_bytes: int | None, proceed: Proceed | None) -> tuple[int, str]:
        """Keep an open file; return size and sha256."""
        draft = self.root / f".{os.getpid()}-{new_suffix(6)}.tmp"
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            size, sha256 = copy_hashing(file, draft, max_bytes, proceed)
            target = self.path(sha256)
            if not _has_size(target, size):
                target.parent.mkdir(mode=0o700, exist_ok=True)
                self._settle(draft, target)
        finally:
            draft.unlink(missing_ok=True)
        return size, sha256

    def _settle(self, draft: Path, target: Path) -> None:
        draft.chmod(0o400)
        draft.rename(target)


def restore_files(files: list[tuple[Member, Path]], target: Path, gone: str, changed: str) -> None:
    """Write files below `target`, each a copy of the path beside it; `gone` and `changed` end the error messages.

    A name that can't be written costs no other file.

    Raises:
        UnsafePath: a recorded path would lead outside, or can't be a name here; the other files were written.
        ArtifactNotFound: a content is not there (nothing was written), or is not the recorded one.
        OSError: it can't be written.
    """
    refused: list[str] = []
    places: list[tuple[Member, Path, Path]] = []
    for member, source in files:
        try:
            places.append((member, source, safe_join(target, member.place)))
        except UnsafePath as error:
            refused.append(str(error))
    for member, source, _ in places:
        if not source.is_file():
            raise ArtifactNotFound(f"the content of {member.path!r} ({member.sha256}) {gone}")
    for member, source, place in places:
        try:
            _restore_file(member, source, place, changed)
        except OSError as error:
            if error.errno not in _ODD_NAME:
                raise
            refused.append(f"{member.path!r} can't be written here: {error.strerror}")
    if refused:
        others = len(files) - len(refused)
        told = f"; the other {others:,} of {len(files):,} files are restored" if others else ""
        raise UnsafePath("; ".join(refused[:MAX_NAMED]) + told)


def _restore_file(member: Member, source: Path, place: Path, changed: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.parent / f".{new_suffix(8)}.tmp"
    try:
        with open_regular(source) as file:
            if copy_hashing(file, draft)[1] != member.sha256:
                raise ArtifactNotFound(f"the content of {member.path!r} ({member.sha256}) {changed}")
        if member.executable:
            mode = draft.stat().st_mode
            draft.chmod(mode | (mode & 0o444) >> 2)  # for those who may read it, by the umask
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


def folder_sha256(members: list[Member]) -> str:
    """Return the hash of a folder: that of the lines "<sha256>  <path>" of its files, sorted."""
    lines = sorted(f"{member.sha256}  {member.path}\n" for member in members)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
