"""Files kept by their content: `blobs/ab/abcdef…`, named by sha256, read-only, each content once."""

import errno
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from runlore._ids import is_sha256, new_suffix, sha256_of
from runlore._inside import OddFile, StrPath, drop, is_regular, name_of, open_file, opened, rename
from runlore._sharing import make_folder, set_mode, settle
from runlore._sharing import open_file as make_file
from runlore.artifacts.copying import NoFile, Proceed, can_read, check_dense, copy_hashing, hash_open, open_regular
from runlore.artifacts.folders import list_files, makes_repository, safe_join, unescaped
from runlore.artifacts.known import MIN_BYTES, Known, samples_of
from runlore.errors import ArtifactNotFound, UnsafePath

Skipped = list[tuple[Path, OSError]]  # files that could not be read
Opener = Callable[[], FileIO]  # opens a content to be read

MAX_NAMED = 20  # files or places that a message names

# Errors of a name that a disk can't have, or that another file has taken.
ODD_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
HEAD_BYTES = 100
_GONE = (FileNotFoundError, NotADirectoryError, OddFile, NoFile)  # errors of a content that is not there


class Member(NamedTuple):
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
        self._store = root.parent
        self._text = str(root)

    def path(self, sha256: str) -> Path:
        """Return the path of a content, kept or not.

        Raises:
            ArtifactNotFound: it is no sha256, which alone can name one.
        """
        return Path(self._place(sha256))

    def _place(self, sha256: str) -> str:
        if not is_sha256(sha256):
            raise ArtifactNotFound(f"{sha256[:80]!r} is no sha256: a content is named by 64 hex digits")
        return f"{self._text}/{sha256[:2]}/{sha256}"

    def holds(self, sha256: str) -> bool:
        """Return True if a content is kept."""
        return is_regular(self._place(sha256))

    def open(self, sha256: str) -> FileIO:
        """Open a content that is kept, to be read.

        Raises:
            OddFile: it is no regular file, or is reached through a link.
            OSError: it is not kept, or can't be read.
        """
        return FileIO(open_file(self.path(sha256), self._store), "rb")

    def create(self) -> None:
        """Create the folder of the contents; a store that was removed is not made anew for it.

        Raises:
            OSError: the store is gone, or can't be written.
        """
        make_folder(self.root, self._store)

    def put_bytes(self, data: bytes) -> str:
        """Keep some bytes; return their sha256.

        Raises:
            OSError: no room, or the store is read-only.
        """
        digest = sha256_of(data)
        target = self._place(digest)
        if not self._has_size(target, len(data)):
            above = f"{self._text}/{digest[:2]}"
            make_folder(Path(above), self._store)
            draft = f"{above}/.{new_suffix(6)}.tmp"
            try:
                with os.fdopen(self._make(draft), "wb") as file:
                    file.write(data)
                    settle(file.fileno(), 0o400)
                rename(draft, target, self._store)
            finally:
                drop(draft, self._store)
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
            if same is not None and self._has_size(self.path(same), status.st_size):
                return Member(source.name, status.st_size, same, executable)
            samples = samples_of(file, status.st_size)
            size, sha256 = self._put_like(known.sha256_like(samples), file, max_bytes, proceed)
            known.note(file, status, began_ns, samples, sha256)
            return Member(source.name, size, sha256, executable)

    def hash_file(self, source: Path, proceed: Proceed | None = None) -> str:
        """Return the sha256 of a file that is not kept; a large one that is known and has not changed is not read.

        Raises:
            OSError: the file can't be read, or is no regular file.
        """
        with open_regular(source) as file:
            status = os.fstat(file.fileno())
            known = Known(self.root / ".known") if status.st_size >= MIN_BYTES else None
            same = None if known is None else known.sha256_of(status)
            if same is not None:
                return same
            began_ns = time.time_ns()
            _, sha256 = hash_open(file, proceed)
            if known is not None:
                known.note(file, status, began_ns, samples_of(file, status.st_size), sha256)
            return sha256

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

    def read(self, sha256: str, max_bytes: int | None = None) -> bytes:
        """Return a content.

        Raises:
            ArtifactNotFound: it was not kept, is damaged, or has more than `max_bytes`.
        """
        from hashlib import sha256 as digest_of  # which writers of small contents need not

        try:
            with self.open(sha256) as file:
                if max_bytes is not None and os.fstat(file.fileno()).st_size > max_bytes:
                    raise ArtifactNotFound(f"the content {sha256!r} has more than {max_bytes:,} bytes")
                check_dense(file, sha256[:12], sha256)
                data = file.readall()
        except (FileNotFoundError, OddFile):
            raise ArtifactNotFound(f"the content {sha256!r} is not in this store") from None
        if digest_of(data).hexdigest() != sha256:
            raise ArtifactNotFound(f"the content {sha256!r} is damaged on the disk")
        return data

    def restore(self, members: list[Member], target: Path) -> None:
        """Write files below `target`, byte for byte; see `restore_files`."""
        files = [(member, partial(self.open, member.sha256)) for member in members]
        restore_files(files, target, "is not in this store", "is damaged on the disk")

    def _put_like(
        self, like: str | None, file: FileIO, max_bytes: int | None, proceed: Proceed | None
    ) -> tuple[int, str]:
        """Keep an open file whose content may be a kept one; return size and sha256."""
        if like is not None and self.holds(like):
            size, sha256 = hash_open(file, proceed)
            if self._has_size(self.path(sha256), size):
                return size, sha256
            file.seek(0)
        return self._put_open(file, max_bytes, proceed)

    def _put_open(self, file: FileIO, max_bytes: int | None, proceed: Proceed | None) -> tuple[int, str]:
        """Keep an open file; return size and sha256."""
        draft = self.root / f".{os.getpid()}-{new_suffix(6)}.tmp"
        self.create()
        try:
            with FileIO(self._make(draft), "r+") as copy:
                size, sha256 = copy_hashing(file, copy, max_bytes, proceed)
                settle(copy.fileno(), 0o400)
            target = self.path(sha256)
            if not self._has_size(target, size):
                make_folder(target.parent, self._store)
                rename(draft, target, self._store)
        finally:
            drop(draft, self._store)
        return size, sha256

    def _make(self, draft: StrPath) -> int:
        """Make the file of a content that is being written; nobody can open it but those who may read it later."""
        return make_file(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, self._store)

    def _has_size(self, path: StrPath, size: int) -> bool:
        """Return True if a content is kept whole: a machine that went down may have left an empty file.

        Its time becomes now, so that nobody who frees room removes it before a log names it.
        """
        try:
            with opened(None, path, self._store) as above:
                name = name_of(path)
                status = os.stat(name, dir_fd=above, follow_symlinks=False)
                if not S_ISREG(status.st_mode) or status.st_size != size:
                    return False
                with suppress(OSError):  # somebody else's file, or a read-only store
                    os.utime(name, dir_fd=above, follow_symlinks=False)
        except (FileNotFoundError, OddFile):
            return False
        return True


def restore_files(files: Sequence[tuple[Member, Opener]], target: Path, gone: str, changed: str) -> None:
    """Write files below `target`, each a copy of what is opened for it; `gone` and `changed` end the error messages.

    A name that can't be written costs no other file.

    Raises:
        UnsafePath: a recorded path would lead outside, is git's, or can't be a name here; the others were written.
        ArtifactNotFound: a content is not there (nothing was written), or is not the recorded one.
        OSError: it can't be written.
    """
    refused: list[str] = []
    places: list[tuple[Member, Opener, Path]] = []
    for member, source in files:
        try:
            places.append((member, source, safe_join(target, member.place)))
        except UnsafePath as error:
            refused.append(str(error))
    for member, source, _ in places:
        try:
            source().close()
        except _GONE:
            raise ArtifactNotFound(f"the content of {member.path!r} ({member.sha256}) {gone}") from None
    for member, source, place in places:
        try:
            if makes_repository(place.name, _beginning(source) if place.name.lower() == "head" else b""):
                raise UnsafePath(f"{member.path!r} would make a repository of its folder: not restored")
            _restore_file(member, source, place, changed)
        except UnsafePath as error:
            refused.append(str(error))
        except OSError as error:
            if error.errno not in ODD_NAME:
                raise
            refused.append(f"{member.path!r} can't be written here: {error.strerror}")
    if refused:
        others = len(files) - len(refused)
        told = f"; the other {others:,} of {len(files):,} files are restored" if others else ""
        raise UnsafePath("; ".join(refused[:MAX_NAMED]) + told)


def _beginning(source: Opener) -> bytes:
    with source() as file:
        return file.read(HEAD_BYTES)


def _restore_file(member: Member, source: Opener, place: Path, changed: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.parent / f".{new_suffix(8)}.tmp"
    try:
        with source() as file, draft.open("x+b", buffering=0) as copy:
            check_dense(file, member.path, member.sha256)
            if copy_hashing(file, copy)[1] != member.sha256:
                raise ArtifactNotFound(f"the content of {member.path!r} ({member.sha256}) {changed}")
        if member.executable:
            mode = draft.stat().st_mode
            set_mode(draft, mode | (mode & 0o444) >> 2)  # for those who may read it, by the umask
        draft.rename(place)
    finally:
        draft.unlink(missing_ok=True)


def folder_sha256(members: list[Member]) -> str:
    """Return the hash of a folder: that of the lines "<sha256>  <path>" of its files, sorted."""
    lines = sorted(f"{member.sha256}  {member.path}\n" for member in members)
    return sha256_of("".join(lines).encode("utf-8", "surrogateescape"))
