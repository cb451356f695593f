"""The file of an index: where it lies, and whether this user made it. One that came with a store is not believed."""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from runlore import _proof
from runlore._inside import open_file
from runlore.log import liveness
from runlore.log.folder import INDEX, Folder

FILE_NAME = f"{INDEX}.sqlite"
BESIDE = ("-journal", "-wal", "-shm")  # ends of the names of files that SQLite makes beside a database
KEY_DIGITS = 32
MAX_LENGTH = 1_000_000  # bytes of a row that an index says of itself, and of its schema's texts
MAX_STEPS = 100_000  # of SQLite, to read what an index says of itself


def first_place(folder: Folder) -> Path | None:
    """Return the place of a store's index: in the store, if one can be made and proven there, else in the cache.

    Who else may write there may leave a journal while SQLite is at work, and a journal may name any file.
    """
    root = folder.root
    status = root.stat()
    is_own = status.st_uid == os.geteuid() and not status.st_mode & 0o022
    usable = is_own and os.access(root, os.W_OK) and not liveness.on_network_disk(root) and liveness.has_locks(root)
    return root / FILE_NAME if usable and proof_of("") else cache_place(folder)


def cache_place(folder: Folder) -> Path | None:
    """Return the place of an index in the user's cache; None for a user without one of their own."""
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # neither HOME nor an entry in passwd, as in a container with a user of its own
        return None
    key = sha256(f"{os.path.realpath(folder.root)}\0{folder.store_id}".encode(errors="surrogateescape")).hexdigest()
    place = home / "runlore" / key[:KEY_DIGITS]
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = place.lstat()
    except OSError:
        return None
    is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
    return place / FILE_NAME if is_own else None


def proof_of(identity: str) -> str:
    """Return the proof that stands in an index of this user's; `identity` is the file's. Empty without a secret."""
    return _proof.proof_of(identity.encode(), "index")


def may_open(path: Path) -> bool:
    """Return True if SQLite may open the file of an index: this user made it, or makes it now.

    It is looked at without SQLite's own look at what lies beside it: a journal may name any file. What another version
    of runlore made, what somebody unpacked here, and what a writer that died left in its journal is removed, as it may
    be at any time; an index that works for somebody else with this user's id, as in another container, stays.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return _is_free(path)
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        return False
    with _locked(path) as locked:
        if not locked:
            return True  # whoever writes has looked, too
        found = {} if _journals(path) else _meta_of(path)
        if found is None or found.get("proof") == proof_of(f"{status.st_dev}:{status.st_ino}"):
            return True
        if found.get("proof") and found.get("boot") == liveness.boot_id():
            return False
        delete(path)
    return True


def delete(path: Path) -> None:
    """Delete an index, and what SQLite left beside it, which must never be played into a new one."""
    for name in (*_journals(path), path):
        with suppress(OSError):  # of another user, or gone
            name.unlink()


def lock_of(path: Path) -> Path:
    """Return the file by which writers of an index exclude each other."""
    return path.with_suffix(".lock")


def _is_free(path: Path) -> bool:
    """Return True where no index lies, and no journal is left that could be played into a new one."""
    for name in _journals(path):
        with suppress(OSError):
            name.unlink()
    return not _journals(path)


def _journals(path: Path) -> list[Path]:
    return [found for end in BESIDE if os.path.lexists(found := path.with_name(f"{path.name}{end}"))]


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock of an index's writers in the block, unless one of them does, or it can't be made."""
    held = False
    try:
        descriptor = open_file(lock_of(path), path.parent, os.O_RDWR | os.O_CREAT)
    except OSError:
        yield False
        return
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        yield held
    finally:
        os.close(descriptor)


def _meta_of(path: Path) -> dict[str, str] | None:
    """Return what an index says of itself, read as a file that nobody changes; None of an empty file, or of none."""
    try:
        if not path.stat().st_size:
            return None
    except FileNotFoundError:  # somebody has deleted it meanwhile
        return None
    address = f"file:{quote(str(path))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_LENGTH)
            database.set_progress_handler(lambda: 1, MAX_STEPS)  # a view may have rows without end
            rows = database.execute("SELECT key, value FROM meta WHERE key IN ('proof', 'boot') LIMIT 2").fetchall()
    except sqlite3.Error:
        return {}
    return {str(key): str(value) for key, value in rows}
