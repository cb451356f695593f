"""Folders as artifacts: what is in them, what of it can't be kept, and where a recorded path may be written."""

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from runlore.errors import UnsafePath

SPECIAL = "pipes, sockets and devices can't be kept"
LINKED = "links to folders are not followed"
DANGLING = "links that lead nowhere can't be kept"
CLOSED = "folders that can't be read"
EMPTY = "folders without files are not kept"
UNSAFE = "names that mean another place on other systems are not restored"

_ESCAPE = r"\\u(dc[89a-f][0-9a-f])"  # a byte of a name that is no UTF-8, as it stands in a log


def list_files(folder: Path) -> list[Path]:
    """Return the regular files below a folder, sorted by path. Links are followed to files, not to folders."""
    return survey(folder)[0]


def survey(folder: Path) -> tuple[list[Path], dict[str, list[str]]]:
    """Return the regular files below a folder, and what else is there: paths within the folder by why they stay out."""
    files: list[Path] = []
    others: dict[str, list[str]] = {}

    def leave(why: str, path: str | Path) -> None:
        others.setdefault(why, []).append(Path(path).relative_to(folder).as_posix())

    for parent, folders, names in os.walk(folder, onerror=lambda error: leave(CLOSED, error.filename)):
        if not folders and not names and Path(parent) != folder:
            leave(EMPTY, parent)
        for path in (Path(parent, name) for name in folders):
            if path.is_symlink():
                leave(LINKED, path)
        for path in (Path(parent, name) for name in names):
            if path.is_file():
                files.append(path)
                if is_unsafe(path.relative_to(folder).as_posix()):
                    leave(UNSAFE, path)
            else:
                leave(SPECIAL if path.exists() else DANGLING, path)
    by_path = {path.relative_to(folder).as_posix(): path for path in files}
    return [by_path[name] for name in sorted(by_path)], {why: sorted(others[why]) for why in others}


def escaped_among(texts: Iterable[str]) -> list[str]:
    """Return the paths that have bytes which are no UTF-8, and so stand escaped in a log."""
    return [text for text in texts if any(0xDC80 <= ord(char) <= 0xDCFF for char in text)]


def unescaped(recorded: str) -> str:
    r"""Return a path whose bytes that are no UTF-8 stand as `\udc80` to `\udcff`, as the system knows it."""
    return re.sub(_ESCAPE, lambda found: chr(int(found[1], 16)), recorded)


def is_unsafe(recorded: str) -> bool:
    """Return True for a path that would lead out of a folder, here or, with its backslashes, on another system."""
    elsewhere = PureWindowsPath(recorded)
    return (
        not PurePosixPath(recorded).parts
        or "\0" in recorded
        or bool(elsewhere.drive or elsewhere.root)
        or ".." in elsewhere.parts
    )


def safe_join(folder: Path, recorded: str) -> Path:
    r"""Return the place of a recorded path below `folder`.

    Raises:
        UnsafePath: the path is absolute, has "..", a drive or begins with a backslash, or leads outside through a link.
    """
    if is_unsafe(recorded):
        raise UnsafePath(f"the recorded path {recorded!r} would lead outside {str(folder)!r}: not restored")
    place = folder.joinpath(*PurePosixPath(recorded).parts)
    if not place.parent.resolve().is_relative_to(folder.resolve()):
        raise UnsafePath(f"{recorded!r} leads outside {str(folder)!r} through a link: not restored")
    return place
