"""Whether the process that writes a log still lives: a lock on this machine, a heartbeat from another.

The writer holds `flock` on its log. A free lock, or one that is held (by an orphaned child, say) while the writer's
process is gone, means that the writer died. Locks don't reach other machines, so there the file's time counts.
"""

import fcntl
import os
import time
from contextlib import suppress
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

HEARTBEAT = 15.0  # seconds between touches of a log on a network disk
STALE = 90.0  # seconds without one, after which a writer on another machine is taken for dead
NETWORK_DISKS = {"nfs", "nfs4", "lustre", "cifs", "smb3", "smbfs", "gpfs", "beegfs", "ceph", "glusterfs", "9p", "afs"}


class Life(Enum):
    """What is known of a log's writer."""

    ALIVE = "alive"
    DEAD = "dead"
    SILENT = "silent"  # on another machine, and not heard of for a while: taken for dead, but not touched


def process_identity() -> dict[str, Any]:
    """What a log's header says of the process that writes it."""
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
    """Identifies this machine since it was started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return os.uname().nodename


def hold(descriptor: int) -> None:
    """Take the writer's lock; it goes with the last descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def life_of(log: Path, identity: dict[str, Any]) -> Life:
    """Whether the writer that `identity` (a log's opening event) names still lives.

    Raises:
        FileNotFoundError: the log was sealed meanwhile.
    """
    if identity.get("boot") not in (boot_id(), None):
        return _remote_life(log)
    descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        same_namespace = identity.get("pid_namespace") == _pid_namespace()
        return Life.DEAD if same_namespace and not _is_running(identity) else Life.ALIVE
    finally:
        os.close(descriptor)
    return Life.DEAD


def on_network_disk(folder: Path) -> bool:
    """Whether other machines may see `folder`."""
    return _is_network_device(folder.stat().st_dev, folder)


@lru_cache(maxsize=64)
def _is_network_device(device: int, folder: Path) -> bool:
    """`folder` lies on `device`; a disk keeps its number while it is mounted."""
    folder = folder.resolve()
    best, kind = Path("/"), ""
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text().splitlines():
            _, place, disk, *_ = line.split(" ")
            point = Path(place.replace("\\040", " "))
            if point == folder or (point in folder.parents and len(point.parts) >= len(best.parts)):
                best, kind = point, disk
    return kind.removeprefix("fuse.") in NETWORK_DISKS or kind in ("fuse.sshfs", "fuse.s3fs")


def _remote_life(log: Path) -> Life:
    age = _clock_of(log.parent) - log.stat().st_mtime
    return Life.ALIVE if age < STALE else Life.SILENT


def _clock_of(folder: Path) -> float:
    """The time of the file server's clock; this machine's, where the folder can't be written."""
    probe = folder / f".clock-{os.getpid()}.tmp"
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return time.time()
    return now


def _is_running(identity: dict[str, Any]) -> bool:
    pid = identity.get("pid", 0)
    start = _process_start(pid)
    if start is not None:
        return bool(start == identity.get("pid_start"))
    if Path("/proc/self/stat").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _process_start(pid: int) -> int | None:
    """Clock ticks after boot at which a process began; None where it is gone (or a zombie), or can't be known."""
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
