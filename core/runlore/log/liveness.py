"""The life of the process that writes a log: known by a lock on this machine, by a heartbeat from another.

The writer holds `flock` on its log. A free lock, or one that is held (by an orphaned child, say) while the writer's
process is gone, means that the writer died. Locks don't reach other machines: there the time of the file counts. Nobody
locks a copy of a log either: its opening names the file that the writer has open, and for any other its time counts.
"""

import errno
import fcntl
import os
import time
from contextlib import suppress
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

HEARTBEAT_S = 15.0  # between touches of a log on a network disk
STALE_S = 90.0  # without a touch, after which a writer on another machine is taken for dead
NETWORK_DISKS = {"nfs", "nfs4", "lustre", "cifs", "smb3", "smbfs", "gpfs", "beegfs", "ceph", "glusterfs", "9p", "afs"}


NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}  # Lustre without flock, NFS without lockd


class Life(Enum):
    """The life of a log's writer, as far as it can be known from here."""

    ALIVE = "alive"
    DEAD = "dead"
    SILENT = "silent"  # of a copy, or on another machine, and not heard of for a while: its log is not touched


def process_identity() -> dict[str, Any]:
    """Return the fields of an opening event that identify this process."""
    return dict(_identity_of(os.getpid()))


@cache
def _identity_of(pid: int) -> dict[str, Any]:
    return {
        "host": os.uname().nodename,
        "boot": boot_id(),
        "pid": pid,
        "pid_start": _process_start(pid),
        "pid_namespace": _pid_namespace(),
    }


@cache
def boot_id() -> str:
    """Return the id of this machine that lasts until it is started again."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return os.uname().nodename


def hold(descriptor: int) -> bool:
    """Take the writer's lock, which is free again when the last copy of the descriptor is closed.

    Return False where the disk has no locks.

    Raises:
        BlockingIOError: somebody else holds it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def has_locks(folder: Path) -> bool:
    """Return True if the disk that a folder lies on has locks."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in NO_LOCKS
    finally:
        os.close(descriptor)
    return True


def file_identity(descriptor: int) -> list[int]:
    """Return device and inode of an open file, which no copy shares while both exist."""
    status = os.fstat(descriptor)
    return [status.st_dev, status.st_ino]


def is_elsewhere(identity: dict[str, Any]) -> bool:
    """Return True if a process, by its opening event, runs on another machine, or ran before this one was restarted."""
    return identity.get("boot") not in (boot_id(), None)


def life_of(log: Path, identity: dict[str, Any]) -> Life:
    """Return the life of a log's writer; `identity` is the opening event of the log.

    Raises:
        FileNotFoundError: the log was sealed meanwhile.
    """
    if is_elsewhere(identity):
        return _remote_life(log)
    descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if identity.get("file") not in (file_identity(descriptor), None):
            return Life.ALIVE if _shares_pids(identity) and _is_running(identity) else _remote_life(log)
        if identity.get("locks") is False:
            return _unlocked_life(log, identity)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Life.DEAD if _shares_pids(identity) and not _is_running(identity) else Life.ALIVE
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return _unlocked_life(log, identity)
    finally:
        os.close(descriptor)
    return Life.DEAD


def on_network_disk(folder: Path) -> bool:
    """Return True if other machines may see a folder.

    Raises:
        OSError: there is no such folder.
    """
    return _is_network_device(folder.stat().st_dev, folder)


@lru_cache(maxsize=64)
def _is_network_device(device: int, folder: Path) -> bool:
    """Return True if `folder`, which lies on `device`, does; a disk keeps its number while it is mounted."""
    folder = folder.resolve()
    best, kind = Path("/"), ""
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text().splitlines():
            _, place, disk, *_ = line.split(" ")
            point = Path(place.replace("\\040", " "))
            if point == folder or (point in folder.parents and len(point.parts) >= len(best.parts)):
                best, kind = point, disk
    return kind.removeprefix("fuse.") in NETWORK_DISKS or kind in ("fuse.sshfs", "fuse.s3fs")


def _unlocked_life(log: Path, identity: dict[str, Any]) -> Life:
    """Return the life of a writer on this machine whose disk has no locks."""
    if not _shares_pids(identity):
        return _remote_life(log)
    return Life.ALIVE if _is_running(identity) else Life.DEAD


def _remote_life(log: Path) -> Life:
    age_s = _server_time(log.parent) - log.stat().st_mtime
    return Life.ALIVE if age_s < STALE_S else Life.SILENT


def _server_time(folder: Path) -> float:
    """Return the time by the file server's clock; by this machine's where the folder can't be written."""
    probe = folder / f".clock-{os.getpid()}.tmp"
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return time.time()
    return now


def _shares_pids(identity: dict[str, Any]) -> bool:
    """Return True if the writer's process id means the same process here."""
    return bool(identity.get("pid_namespace") == _pid_namespace())


def _is_running(identity: dict[str, Any]) -> bool:
    pid = identity.get("pid") or 0
    start = _process_start(pid)
    if start is not None:
        return bool(start == identity.get("pid_start"))
    if Path("/proc/self/stat").exists():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _process_start(pid: int) -> int | None:
    """Return the clock ticks after boot at which a process began; None where it is gone (or a zombie), or unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
