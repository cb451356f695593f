"""Whose a file is, and modes of what lies in a store: its user's alone, or its group's, as the folder around it."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from runlore import _inside
from runlore._inside import OddFile, StrPath
from runlore._streams import open_beside_streams

SHARING = ("folder", "group", "user")  # values of RUNLORE_SHARED

_OF_GROUP = stat.S_ISGID | stat.S_IWGRP  # what is made in such a folder becomes its group's, which may write there


def own_users() -> set[int]:
    """Return the users whose files this process follows: its own, root, and for root the one who called sudo."""
    users = {0, os.geteuid()}
    caller = os.environ.get("SUDO_UID", "")
    return users | {int(caller)} if os.geteuid() == 0 and caller.isdecimal() else users


def owner_of_another(path: Path) -> int | None:
    """Return the user to whom a file or folder belongs, or a link at its place; None for `own_users`.

    A file is also another's where the folder that it lies in is: whose folder it is may put any file there.

    Raises:
        OSError: it is not there, or can't be looked at.
    """
    status = os.stat(path)  # noqa: PTH116  # as each run that starts asks
    owners = [os.lstat(path).st_uid, status.st_uid]
    if not stat.S_ISDIR(status.st_mode):
        owners.append(path.parent.stat().st_uid)
    users = own_users()
    return next((owner for owner in owners if owner not in users), None)


def is_shared(folder: Path | int) -> bool:
    """Return True if a folder, or an open one, is one that a group works in: setgid, and the group may write."""
    try:
        return os.stat(folder).st_mode & _OF_GROUP == _OF_GROUP  # noqa: PTH116  # of a descriptor, too
    except OSError:
        return False


def is_of_my_group(folder: Path) -> bool:
    """Return True if a folder is one that a group of this user's works in."""
    return is_shared(folder) and folder.stat().st_gid in {os.getegid(), *os.getgroups()}


def make_root(root: Path, sharing: str) -> None:
    """Make the folder of a new store; `sharing` is one of `SHARING`.

    "folder" shares it where the folder that it lies in is shared by a group of this user's, and this process's umask
    lets the group in. Of another group's the kernel would let nothing but the topmost folder be made.

    Raises:
        OSError: it can't be made.
    """
    works_there = is_of_my_group if os.geteuid() else is_shared
    inherits = sharing == "folder" and works_there(root.parent)
    if not root.is_dir():
        root.mkdir(mode=0o770 if inherits else 0o700, parents=True, exist_ok=True)
        if inherits and not is_shared(root):
            set_mode(root, 0o700)
    if sharing == "group":
        set_mode(root, 0o770 | stat.S_ISGID)  # unless it was there, and is another user's


def make_folder(path: Path, root: Path) -> None:
    """Make a folder below another, `root`, and those between them, each for whom the one above it is open.

    Raises:
        OddFile: a link lies there.
        OSError: it can't be made, or `root` is gone: a store that was removed or renamed is not made anew.
    """
    with suppress(FileNotFoundError), _inside.folder(path, root):
        return
    if path.parent != root:
        make_folder(path.parent, root)
    with _inside.folder(path.parent, root) as above:
        shared = is_shared(above)
        with suppress(FileExistsError):
            os.mkdir(path.name, 0o770 if shared else 0o700, dir_fd=above)
    if shared:
        with (
            suppress(OSError),
            _inside.listed(path, root) as made,
        ):  # a faster process, of another user, made it
            set_mode(made, 0o770 | stat.S_ISGID)


def open_file(path: StrPath, flags: int, root: StrPath | None = None, *, above: int | None = None) -> int:
    """Open a file for writing, and make it where the flags say so, for whom its folder is open; return its descriptor.

    It lies in the store `root`, or (None) in the one that it lies in as a file of a run; `above` is its folder, where
    the caller has opened it.

    Raises:
        OddFile: it is no regular file, or is reached through a link.
        OSError: it can't be opened.
    """
    with _inside.opened(above, path, root) as above:
        shared = is_shared(above)
        mode = 0o660 if shared else 0o600
        try:
            descriptor = open_beside_streams(_inside.name_of(path), flags | os.O_NOFOLLOW | os.O_NONBLOCK, mode, above)
        except OSError as error:
            raise (OddFile(path) if error.errno in (errno.ELOOP, errno.ENXIO) else error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OddFile(path)
    if shared:
        set_mode(descriptor, 0o660)  # unless it is another user's
    return descriptor


def settle(descriptor: int, mode: int) -> None:
    """Give an open file its mode, and its group that of its owner where the group may read it already."""
    shared = os.fstat(descriptor).st_mode & stat.S_IRGRP
    set_mode(descriptor, mode | (mode & 0o600) >> 3 if shared else mode)


def set_mode(place: Path | int, mode: int) -> None:
    """Give a file or folder, or an open one, a mode where the disk has any: network disks and FUSE's may refuse it."""
    with suppress(OSError):
        os.chmod(place, mode)  # noqa: PTH101  # of a descriptor, too
