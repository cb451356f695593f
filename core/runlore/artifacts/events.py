"""Events of artifacts: files and folders are kept, hashed or refused, and described for the log."""

import errno
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runlore.artifacts.blobs import MAX_NAMED, Blobs, Member, Skipped, folder_sha256
from runlore.artifacts.copying import Proceed, hash_file, open_regular
from runlore.artifacts.folders import escaped_among, list_files, survey

if TYPE_CHECKING:
    from runlore.hookspecs import CapturedFile


MAX_COPY_BYTES = 2 << 30  # a larger file of a framework is kept only where the disk can share its blocks
MAX_FREE_PART = 0.1  # of the free room, for a copy of such a file
BEGINNING_BYTES = 8 << 20  # of a file, and
END_BYTES = 1 << 20  # that rewriters see before it is kept

Event = dict[str, Any]
Rewrite = Callable[["CapturedFile"], "CapturedFile"]  # changes or withholds a file before it is kept

UNPLACED: Event = {"path": None, "step": None, "epoch": None, "roles": []}  # fields of an artifact without a file


def kept_path(
    path: Path,
    blobs: Blobs,
    max_bytes: int | None = None,
    proceed: Proceed | None = None,
    skipped: Skipped | None = None,
) -> Event:
    """Keep a file or a folder; return the fields of its content.

    Above `max_bytes` it is kept only where the disk can share its blocks. `proceed` is called between pieces; an
    exception of it ends the work. Files of a folder that can't be read are put into `skipped`, where it is given.

    Raises:
        OSError: it can't be read, is above `max_bytes`, or there is no room.
    """
    if not path.is_dir():
        member = blobs.put_file(path, max_bytes, proceed)
        found = {"size": member.size, "sha256": member.sha256, "stored": True}
        return found | ({"executable": True} if member.executable else {})
    return _folder(blobs.put_folder(path, max_bytes, proceed, skipped)) | {"stored": True}


def kept_or_hashed(path: Path, blobs: Blobs, rewrite: Rewrite, proceed: Proceed | None = None) -> Event:
    """Keep a file or folder of a framework, or say why not, and hash it either way; return the fields of its content.

    A copy may have 2 GiB, and a tenth of the free room; more is kept only where the disk can share its blocks.

    Raises:
        OSError: it can't be read, or there is no room.
    """
    blobs.create()
    disk = os.statvfs(blobs.root)
    room = min(MAX_COPY_BYTES, int(disk.f_bavail * disk.f_frsize * MAX_FREE_PART))
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
    """Keep some files of a folder, unless one holds a secret; return the fields of their content.

    Raises:
        OSError: one can't be read, or there is no room.
    """
    why = next(filter(None, (withheld(path, rewrite) for path in paths)), None)
    members = []
    for path in sorted(paths):
        status, sha256 = path.stat(), blobs.put_file(path).sha256 if why is None else hash_file(path)
        members.append(_member(path.relative_to(folder).as_posix(), status, sha256))
    return _folder(members) | {"stored": why is None, **({} if why is None else {"why": why})}


def withheld(path: Path, rewrite: Rewrite) -> str | None:
    """Return why a file or folder of a framework may not be kept, such as a secret in it; None if it may.

    Of a large file `rewrite` sees the beginning, where frameworks put settings, and the end: the rest is weights.

    Raises:
        OSError: it can't be read.
    """
    from runlore.hookspecs import CapturedFile

    for item in [path] if not path.is_dir() else list_files(path):
        with open_regular(item) as file:
            content = file.read(BEGINNING_BYTES)
            size = os.fstat(file.fileno()).st_size
            if size > BEGINNING_BYTES:
                file.seek(max(BEGINNING_BYTES, size - END_BYTES))
                content += file.read(END_BYTES)
        found = rewrite(CapturedFile(item.name, content, "model"))
        if found.withheld is not None:
            return found.withheld
    return None


def hashed(path: Path, proceed: Proceed | None = None) -> Event:
    """Hash a file or a folder; return the fields of its content. `proceed` is that of `kept_path`.

    Raises:
        OSError: it can't be read.
    """
    if not path.is_dir():
        return {"sha256": hash_file(path, proceed)}
    files = list_files(path)
    return _folder(
        [_member(item.relative_to(path).as_posix(), item.stat(), hash_file(item, proceed)) for item in files]
    )


def recorded(path: Path, event: Event, blobs: Blobs, *, keep: bool) -> list[Event]:
    """Keep a file or folder of the user's, or leave its hash to a reader; return its event, and what is missing of it.

    Raises:
        OSError: it can't be read, or there is no room.
    """
    skipped: Skipped = []
    content = kept_path(path, blobs, skipped=skipped) if keep else pending(path)
    escaped = {"escaped": True} if escaped_among([str(path.absolute())]) else {}
    losses = _left_out(path, event["name"], skipped) if path.is_dir() else []
    return [event | escaped | content, *losses]


def kept_content(event: Event, content: "bytes | Mapping[str, bytes]", blobs: Blobs) -> Event:
    """Keep bytes, or a folder of them by path, as an artifact without a file; return its whole event.

    Raises:
        OSError: there is no room.
    """
    event = {**UNPLACED, **event}
    if isinstance(content, bytes):
        return event | {"size": len(content), "sha256": blobs.put_bytes(content), "stored": True}
    members = [Member(name, len(data), blobs.put_bytes(data)) for name, data in sorted(content.items())]
    return event | _folder(members) | {"stored": True}


def pending(path: Path) -> Event:
    """Return the fields of a content that is not kept, and whose hash is not known yet.

    Raises:
        OSError: it is gone.
    """
    size, newest = extent(path)
    return {"size": size, "sha256": None, "stored": False, "pending": True, "mtime_ns": newest}


def local_path(path: str | os.PathLike[str]) -> Path | None:
    """Return a path or a `file://` URL as an absolute path, links left alone; None for other URLs."""
    text = os.fspath(path).removeprefix("file://")
    return None if "://" in text else Path(os.path.abspath(text))  # noqa: PTH100  # unlike resolve()


def extent(path: Path) -> tuple[int, int]:
    """Return the bytes of a file, or of all files below a folder, and the time of the newest in ns since 1970.

    Raises:
        OSError: it is gone, or is no regular file.
    """
    files = [path] if not path.is_dir() else list_files(path)
    found = [item.stat() for item in files]
    if not all(stat.S_ISREG(item.st_mode) for item in found):
        raise OSError(errno.EINVAL, "it is no regular file")
    return sum(item.st_size for item in found), max((item.st_mtime_ns for item in found), default=0)


def not_kept(error: OSError) -> Event:
    """Return the fields of a content that could not be kept."""
    return {"size": None, "sha256": None, "stored": False, "why": error.strerror or str(error)}


def losses_of(file: "CapturedFile") -> list[Event]:
    """Return the "missing" events of a captured file that is withheld or masked."""
    if file.withheld is not None:
        return [{"type": "missing", "what": file.name, "why": file.withheld}]
    if not file.masked:
        return []
    why = f"secrets are masked in it ({_some(file.masked)})"
    if file.kind == "code":
        why += ": the run can't be reproduced from it"
    return [{"type": "missing", "what": file.name, "why": why}]


def _left_out(path: Path, name: str, skipped: Skipped) -> list[Event]:
    """Return the "missing" events of a folder with links, pipes and the like, and of files that could not be read."""
    found = survey(path)[1]
    for file, error in skipped:
        why = f"files that can't be read ({error.strerror or error})"
        found.setdefault(why, []).append(file.relative_to(path).as_posix())
    what = f"part of artifact {name!r}"
    return [{"type": "missing", "what": what, "why": f"{why}: {_some([*map(repr, found[why])])}"} for why in found]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")


def _member(path: str, status: os.stat_result, sha256: str) -> Member:
    return Member(path, status.st_size, sha256, bool(status.st_mode & 0o100))


def _folder(members: list[Member]) -> Event:
    executable = [member.path for member in members if member.executable]
    escaped = escaped_among(member.path for member in members)
    return {
        "size": sum(member.size for member in members),
        "sha256": folder_sha256(members),
        "files": [[member.path, member.size, member.sha256] for member in members],
        **({"executable": executable} if executable else {}),
        **({"escaped_files": escaped} if escaped else {}),
    }
