"""Folders as artifacts: what is in them, what of it can't be kept, and where a recorded path may be written."""

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from stat import S_ISREG

from runlore.errors import UnsafePath

SPECIAL = "pipes, sockets and devices can't be kept"
LINKED = "links to folders are not followed"
DANGLING = "links that lead nowhere can't be kept"
CLOSED = "folders that can't be read"
LONG = "paths that are too long for the system to open"
EMPTY = "folders without files are not kept"
STORE = "a store within is not kept"  # it may be the one that is written to
UNSAFE = "names that mean another place on other systems are not restored"

MAX_NAME_BYTES = 255  # of a file or folder, on nearly every disk

# Git takes a folder of this name, however it is written on a disk of Windows or of Apple, for a repository, and runs
# what its settings name; a shell's prompt asks git.
_GITS = r"(?i)\.git[ .]*(:.*)?|git~\d+"
_UNSEEN = "[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]"  # characters that Apple's disks leave out
_HEAD = rb"ref:\s*refs/|[0-9a-fA-F]{40}"  # begins the file HEAD, without which no folder is a repository

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
        if Path(parent) != folder and (not (folders or names) or _is_store(folders, names)):
            leave(STORE if folders else EMPTY, parent)
            folders.clear()  # walk goes no further
            continue
        for path in (Path(parent, name) for name in folders):
            if os.path.islink(path):  # noqa: PTH114  # a path of pathlib's raises where the system can't look
                leave(LINKED, path)
        for path in (Path(parent, name) for name in names):
            why = _why_not(path)
            if why is not None:
                leave(why, path)
                continue
            files.append(path)
            if is_unsafe(path.relative_to(folder).as_posix()):
                leave(UNSAFE, path)
    by_path = {path.relative_to(folder).as_posix(): path for path in files}
    return [by_path[name] for name in sorted(by_path)], {why: sorted(others[why]) for why in others}


def _why_not(path: Path) -> str | None:
    """Return why something in a folder can't be kept; None for a regular file, or a link to one."""
    try:
        return None if S_ISREG(path.stat().st_mode) else SPECIAL
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return LONG
        return DANGLING if os.path.islink(path) else CLOSED  # noqa: PTH114


def _is_store(folders: list[str], names: list[str]) -> bool:
    return "runs" in folders and {"format", ".gitignore"} <= set(names)


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


def is_of_git(recorded: str) -> bool:
    """Return True for a path that lies in git's own folder, `.git`, on some system."""
    return any(re.fullmatch(_GITS, re.sub(_UNSEEN, "", part)) for part in re.split(r"[/\\]", recorded))


def makes_repository(name: str, beginning: bytes) -> bool:
    """Return True for a file that could make the folder around it a bare repository, by its name and how it begins."""
    return name.lower() == "head" and re.match(_HEAD, beginning) is not None


def safe_join(folder: Path, recorded: str) -> Path:
    r"""Return the place of a recorded path below `folder`.

    Raises:
        UnsafePath: the path is absolute, has "..", a drive or begins with a backslash, or leads outside through a link;
            it lies in git's own folder, or among the hidden files of the home folder; or a part of it is too long.
    """
    if is_unsafe(recorded):
        raise UnsafePath(f"the recorded path {recorded!r} would lead outside {str(folder)!r}: not restored")
    if is_of_git(recorded):
        raise UnsafePath(f"the recorded path {recorded!r} lies in git's own folder: not restored")
    if any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in PurePosixPath(recorded).parts):
        raise UnsafePath(f"the recorded path {recorded!r} has a name over {MAX_NAME_BYTES} bytes: not restored")
    place = folder.joinpath(*PurePosixPath(recorded).parts)
    if not place.parent.resolve().is_relative_to(folder.resolve()):
        raise UnsafePath(f"{recorded!r} leads outside {str(folder)!r} through a link: not restored")
    if _is_hidden_at_home(folder, place):
        raise UnsafePath(f"{recorded!r} is hidden in your home folder, where shells read: name another folder")
    return place


def _is_hidden_at_home(folder: Path, place: Path) -> bool:
    """Return True for a file or folder beside `.bashrc` that the name of `folder` does not lead to."""
    home = Path(os.path.realpath(os.path.expanduser("~")))  # noqa: PTH111  # pathlib's raises where there is none
    whole = Path(os.path.realpath(folder), *place.relative_to(folder).parts)
    if Path(os.path.realpath(folder)) != home and not home.is_relative_to(os.path.realpath(folder)):
        return False
    return whole.is_relative_to(home) and whole != home and whole.relative_to(home).parts[0].startswith(".")
