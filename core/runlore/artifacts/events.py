"""What the log says of files: the events of artifacts, their contents kept in the blobs."""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runlore.artifacts.blobs import Blobs, Member, Proceed, folder_sha256, hash_file

if TYPE_CHECKING:
    from runlore.hookspecs import CapturedFile


COPY_BYTES = 2 << 30  # above which a file is kept only where the disk can share its blocks
FREE_PART = 0.1  # of the free room that a copy may take
BEGINNING = 8 << 20  # of a file that rewriters see before it is kept
END = 1 << 20  # likewise

Event = dict[str, Any]

Rewrite = Callable[["CapturedFile"], "CapturedFile"]  # what plugins make of a file before it is kept

UNPLACED: Event = {
    "path": None,
    "step": None,
    "epoch": None,
    "roles": [],
}  # of an artifact that is no file of the user's


def kept_path(path: Path, blobs: Blobs, most: int | None = None, proceed: Proceed | None = None) -> Event:
    """Keep a file or a folder; what its event says of the content.

    More than `most` bytes are kept only where the disk can share them. `proceed` is called between pieces; what it
    raises ends the work.

    Raises:
        OSError: it can't be read, or there is no room.
    """
    if not path.is_dir():
        member = blobs.put_file(path, most, proceed)
        return {"size": member.size, "sha256": member.sha256, "stored": True}
    return _folder(blobs.put_folder(path, most, proceed)) | {"stored": True}


def kept_or_hashed(path: Path, blobs: Blobs, rewrite: Rewrite, proceed: Proceed | None = None) -> Event:
    """Keep what a framework has written, or say why not; it is hashed either way.

    A copy may have 2 GiB, and a tenth of the room that is left; more is kept only where the disk can share its blocks.

    Raises:
        OSError: it can't be read, or there is no room.
    """
    blobs.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    room = min(COPY_BYTES, int(shutil.disk_usage(blobs.root).free * FREE_PART))
    why = withheld(path, rewrite)
    if why is not None:
        return hashed(path, proceed) | {"stored": False, "why": why}
    try:
        return kept_path(path, blobs, room, proceed)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        return hashed(path, proceed) | {"stored": False, "why": f"not kept: {error.strerror}"}


def kept_files(folder: Path, paths: Sequence[Path], blobs: Blobs, rewrite: Rewrite) -> Event:
    """What an event says of some files of a folder; they are kept unless one holds a secret.

    Raises:
        OSError: one is gone, or there is no room.
    """
    why = next(filter(None, (withheld(path, rewrite) for path in paths)), None)
    members = []
    for path in sorted(paths):
        size, sha256 = path.stat().st_size, blobs.put_file(path).sha256 if why is None else hash_file(path)
        members.append(Member(path.relative_to(folder).as_posix(), size, sha256))
    return _folder(members) | {"stored": why is None, **({} if why is None else {"why": why})}


def withheld(path: Path, rewrite: Rewrite) -> str | None:
    """Return why a file or folder of a framework may not be kept, such as a secret in it; None: it may be.

    Of a large file `rewrite` sees the beginning, where frameworks put settings, and the end: the rest is weights.
    """
    from runlore.hookspecs import CapturedFile

    for item in [path] if not path.is_dir() else sorted(item for item in path.rglob("*") if item.is_file()):
        with item.open("rb", buffering=0) as file:
            content = file.read(BEGINNING)
            size = os.fstat(file.fileno()).st_size
            if size > BEGINNING:
                file.seek(max(BEGINNING, size - END))
                content += file.read(END)
        found = rewrite(CapturedFile(item.name, content, "model"))
        if found.withheld is not None:
            return found.withheld
    return None


def hashed(path: Path, proceed: Proceed | None = None) -> Event:
    """The hash of a file or a folder as an event has it; `proceed` as for `kept_path`.

    Raises:
        OSError: it can't be read.
    """
    if not path.is_dir():
        return {"sha256": hash_file(path, proceed)}
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return _folder(
        [Member(item.relative_to(path).as_posix(), item.stat().st_size, hash_file(item, proceed)) for item in files]
    )


def kept_content(event: Event, content: "bytes | Mapping[str, bytes]", blobs: Blobs) -> Event:
    """The event of an artifact that has no file of its own: bytes, or a folder of them by path.

    Raises:
        OSError: there is no room.
    """
    event = {**UNPLACED, **event}
    if isinstance(content, bytes):
        return event | {"size": len(content), "sha256": blobs.put_bytes(content), "stored": True}
    members = [Member(name, len(data), blobs.put_bytes(data)) for name, data in sorted(content.items())]
    return event | _folder(members) | {"stored": True}


def pending(path: Path) -> Event:
    """What an event says of a file or folder whose content is not kept, and whose hash is not known yet."""
    size, newest = extent(path)
    return {"size": size, "sha256": None, "stored": False, "pending": True, "mtime_ns": newest}


def local_path(path: str | os.PathLike[str]) -> Path | None:
    """Where a path or a `file://` URL leads, links left alone; None for other URLs."""
    text = os.fspath(path).removeprefix("file://")
    return None if "://" in text else Path(os.path.abspath(text))  # noqa: PTH100  # unlike resolve()


def extent(path: Path) -> tuple[int, int]:
    """The bytes of a file, or of all files below a folder, and the time in ns when the newest was written.

    Raises:
        OSError: it is gone.
    """
    files = [path] if not path.is_dir() else [item for item in path.rglob("*") if item.is_file()]
    found = [item.stat() for item in files]
    if not all(stat.S_ISREG(item.st_mode) for item in found):
        raise OSError(errno.EINVAL, "it is no regular file")
    return sum(item.st_size for item in found), max((item.st_mtime_ns for item in found), default=0)


def not_kept(error: OSError) -> Event:
    """What an event says instead of a content that could not be kept."""
    return {"size": None, "sha256": None, "stored": False, "why": error.strerror or str(error)}


def losses_of(file: "CapturedFile") -> list[Event]:
    """What a run has to say of a captured file that is not kept as it was."""
    if file.withheld is not None:
        return [{"type": "missing", "what": file.name, "why": file.withheld}]
    if not file.masked:
        return []
    places = ", ".join(file.masked[:20]) + (", …" if len(file.masked) > 20 else "")
    why = f"secrets are masked in it ({places})"
    if file.kind == "code":
        why += ": the run can't be reproduced from it"
    return [{"type": "missing", "what": file.name, "why": why}]


def _folder(members: list[Member]) -> Event:
    return {
        "size": sum(member.size for member in members),
        "sha256": folder_sha256(members),
        "files": [[member.path, member.size, member.sha256] for member in members],
    }
