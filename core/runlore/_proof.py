"""The proof that this user has written something: a keyed hash, whose secret lies in a folder of the user's own.

A store may come from anybody, and says whatever its maker liked. What carries a proof was written by somebody who can
read this user's secret. Users without a home that they can write have no secret: nothing of theirs is proven.
"""

import os
import stat
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from runlore._streams import open_beside_streams

if TYPE_CHECKING:
    from hashlib import blake2b
else:
    try:
        from _blake2 import blake2b  # which hashlib has it from, but for loading OpenSSL
    except ImportError:
        from hashlib import blake2b

KINDS = frozenset({"open", "artifact", "environment", "data", "link", "includes"})  # of events that a reader may act on
SECRET_BYTES = 32
TRUSTED = "trusted"  # the folder beside the secret of those that this user has brought from other machines
MAX_TRUSTED = 32

_DIGITS = 32  # of a proof
_MARK = b',"proof":"'
_END = b'"}'
_TAIL = len(_MARK) + _DIGITS + len(_END)


def with_proof(payload: bytes, run_id: str) -> bytes:
    """Return the JSON of an event of a run with its proof as the last field; unchanged where there is no secret."""
    proof = proof_of(payload, run_id)
    return payload[:-1] + _MARK + proof.encode() + _END if proof else payload


def parted(payload: bytes) -> tuple[bytes, str]:
    """Return the JSON of an event without its proof, and the proof; empty where there is none."""
    if not payload.startswith(_MARK, len(payload) - _TAIL) or not payload.endswith(_END):
        return payload, ""
    return payload[:-_TAIL] + b"}", payload[len(_MARK) - _TAIL : -len(_END)].decode(errors="replace")


def is_proven(payload: bytes, run_id: str) -> bool:
    """Return True if the JSON of an event of a run ends with the proof of this user, here or on a trusted machine."""
    whole, found = parted(payload)
    if not found:
        return False
    who = _who()
    return any(secret and _keyed(whole, run_id, secret) == found for secret in (_secret(*who), *_trusted(*who)))


def proof_of(data: bytes, subject: str) -> str:
    """Return the proof of some data, which counts for this subject only; empty where there is no secret."""
    secret = _secret(*_who())
    return _keyed(data, subject, secret) if secret else ""


def _keyed(data: bytes, subject: str, secret: bytes) -> str:
    return blake2b(subject.encode() + b"\0" + data, digest_size=_DIGITS // 2, key=secret).hexdigest()


def _who() -> tuple[str, str, int]:
    """Return what tells where the secret of this process's user lies."""
    return os.environ.get("XDG_STATE_HOME") or "", os.environ.get("HOME") or "", os.geteuid()


def secret_place() -> Path | None:
    """Return where the secret lies, or would; None for a user without a home."""
    return _place(*_who()[:2])


def _place(state: str, home: str) -> Path | None:
    home = home or os.path.expanduser("~")  # noqa: PTH111  # unlike that of Path it never raises
    folder = Path(state or f"{home}/.local/state", "runlore")
    return folder / "secret" if folder.is_absolute() else None


@lru_cache(maxsize=8)
def _secret(state: str, home: str, user: int) -> bytes:
    """Return the secret of a user, made at first need; empty where there is none."""
    path = _place(state, home)
    if path is None:
        return b""
    try:
        return _read(path, user)
    except FileNotFoundError:
        with suppress(OSError):
            _make(path, user)
            return _read(path, user)
    except OSError:
        pass
    return b""


@lru_cache(maxsize=8)
def _trusted(state: str, home: str, user: int) -> tuple[bytes, ...]:
    """Return the secrets that a user has brought from other machines."""
    path = _place(state, home)
    if path is None:
        return ()
    found = []
    with suppress(OSError):
        for name in sorted(os.listdir(path.with_name(TRUSTED)))[:MAX_TRUSTED]:
            with suppress(OSError):
                found.append(_read(path.with_name(TRUSTED) / name, user))
    return tuple(found)


def _read(path: Path, user: int) -> bytes:
    """Return the secret at a path; empty where it is not one that only this user can read.

    Raises:
        OSError: it can't be read.
    """
    found = read_private(path, user, SECRET_BYTES)
    return found if len(found) == SECRET_BYTES else b""


def read_private(path: Path, user: int, most: int) -> bytes:
    """Return the content of a file that only this user can read; empty where it is none, or has more than `most` bytes.

    Raises:
        OSError: it can't be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        is_own = stat.S_ISREG(status.st_mode) and status.st_uid == user and not status.st_mode & 0o077
        return os.read(descriptor, most) if is_own and status.st_size <= most else b""
    finally:
        os.close(descriptor)


def _make(path: Path, user: int) -> None:
    """Make a secret, unless another process is faster, below a folder of this user's.

    Raises:
        OSError: the folder is another user's, or can't be written.
    """
    draft = draft_private(path, user, os.urandom(SECRET_BYTES))
    with suppress(FileExistsError):
        os.link(draft, path)  # unlike a rename, it never replaces another process's
    draft.unlink(missing_ok=True)


def make_private_folder(folder: Path, user: int) -> None:
    """Make a folder that only this user can enter, unless it is there, below a folder of this user's.

    Raises:
        OSError: the folder above is another user's, or can't be written.
    """
    above = next(place for place in (folder, *folder.parents) if place.exists())
    if above.stat().st_uid != user:
        raise PermissionError(f"{str(above)!r} belongs to another user")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def draft_private(path: Path, user: int, content: bytes) -> Path:
    """Write a file that only this user can read beside the place where it shall be, below a folder of this user's.

    Raises:
        OSError: the folder is another user's, or can't be written.
    """
    make_private_folder(path.parent, user)
    draft = path.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.tmp")
    descriptor = open_beside_streams(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if os.write(descriptor, content) != len(content):
            raise OSError(f"no room for {str(path)!r}")
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return draft
