"""The life of the process that writes a log: known by a lock on this machine, by a heartbeat from another.

The writer holds `flock` on its log. A free lock, or one that is held (by an orphaned child, say) while the writer's
process is gone, means that the writer died. Locks don't reach other machines: there the time of the file counts. Nobody
locks a copy of a log either: its opening names the file that the writer has open, and for any other its time counts.
"""

import errno
import fcntl
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from runlore._inside import folder as folder_of
from runlore._inside import open_file, store_of
from runlore._process import Part, process
from runlore._streams import file_identity
from runlore._threads import OwnThread

HEARTBEAT_S = 15.0  # between touches of a log on a network disk
SAME_CLOCK_S = 1.0  # that the time of a folder's file server need not be asked again
SEEN_S = 1.0  # for which a writer that was seen alive is taken for alive while its process is there
STALE_S = 90.0  # without a touch, after which a writer on another machine is taken for dead
NETWORK_DISKS = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "afp", "ncpfs", "coda", "davfs", "ceph", "glusterfs", "moosefs",
    "lustre", "gpfs", "beegfs", "fhgfs", "panfs", "wekafs", "pvfs2", "orangefs", "cvfs", "acfs", "ocfs2", "gfs2",
    "9p", "virtiofs", "drvfs", "vboxsf", "vmhgfs", "prl_fs", "fakeowner", "osxfs",
}  # fmt: skip  # kinds in /proc/mounts of disks that other machines see, or the host of a virtual one
LOCAL_FUSE = {
    "bindfs", "cryfs", "encfs", "ext2", "fuse-overlayfs", "gocryptfs", "mergerfs", "ntfs", "ntfs-3g", "securefs",
    "squashfuse", "unionfs", "unionfs-fuse", "zfs",
}  # fmt: skip  # all others behind "fuse." count as network disks: sshfs, gcsfuse, mountpoint-s3, juicefs, rclone …


_ESCAPED = r"\\([0-7]{3})"  # blanks and the like in the paths of /proc/mounts
IDENTITY = ("host", "boot", "pid", "pid_start", "pid_namespace", "file", "locks")  # fields that tell a writer's life
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
        "pid_start": process_start(pid),
        "pid_namespace": _pid_namespace(),
    }


@cache
def boot_id() -> str:
    """Return the id of this machine that lasts until it is started again."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
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


def was_restarted(identity: dict[str, Any]) -> bool:
    """Return True if a process, by its opening event, ran on this machine before it was started again."""
    return is_elsewhere(identity) and identity.get("host") == os.uname().nodename


def start_heartbeat(touch: Callable[[], None], stop: threading.Event) -> None:
    """Call a method that touches a file again and again, on a thread, until `stop` is set or its object is gone."""
    reference = weakref.WeakMethod(touch)

    def beat() -> None:
        while not stop.wait(HEARTBEAT_S):
            call = reference()
            if call is None:
                return
            call()
            del call

    with suppress(RuntimeError):  # no thread to be had: from other machines the run is told to be silent
        OwnThread(beat, "runlore-heartbeat").start()


def identity_of(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the opening among a log's events, with the file that its writer has open now; empty if it is lost."""
    found: dict[str, Any] = {}
    for event in events:
        if event["type"] == "open" and not found:
            found = event
        elif event["type"] == "rewritten":
            found = {**found, "file": event.get("file"), "locks": event.get("locks")}
    return found


def is_elsewhere(identity: dict[str, Any]) -> bool:
    """Return True if a process, by its opening event, runs on another machine, or ran before this one was restarted."""
    return identity.get("boot") not in (boot_id(), None)


def life_of(log: Path, identity: dict[str, Any]) -> Life:
    """Return the life of a log's writer; `identity` is what the log tells of it (`identity_of`).

    Raises:
        FileNotFoundError: the log was sealed meanwhile.
    """
    if is_elsewhere(identity):
        return _remote_life(log)
    descriptor = open_file(log, store_of(log))
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


Looked = tuple[str, int, int]  # path, inode and mtime (ns) of a log


class Seen(Part):
    """The writers that were seen alive a moment ago: until when that counts, and the path that shows the process."""

    def __init__(self) -> None:
        self._known: dict[Looked, tuple[float, str]] = {}
        self._tidied = 0.0  # monotonic seconds

    def forget(self) -> None:
        """Know nothing any more."""
        self._known = {}

    def counts(self, log: Looked) -> bool:
        """Return True if the writer of a log was seen, and nothing shows that it is gone."""
        until, shown_by = self._known.get(log, (0.0, ""))
        return time.monotonic() < until and (not shown_by or os.path.exists(shown_by))  # noqa: PTH110  # a Path's is slow

    def note(self, log: Looked, identity: dict[str, Any]) -> None:
        """Note that a writer is alive, unless it is this very process, or nothing shows here that it is gone."""
        now = time.monotonic()
        if now - self._tidied > SEEN_S:  # not for each of many
            self._known = {known: item for known, item in self._known.items() if item[0] > now}
            self._tidied = now
        pid = identity.get("pid")
        if is_elsewhere(identity):
            self._known[log] = now + SEEN_S, ""
        elif _shares_pids(identity) and pid != os.getpid():
            self._known[log] = now + SEEN_S, f"/proc/{pid}"


def is_alive(log: Path, status: os.stat_result, identity: Callable[[], dict[str, Any]]) -> bool:
    """Return True if a log's writer is alive; soon after it was seen so, the process being there tells it.

    `identity` returns what the log tells of its writer. One that stays as a zombie is taken for alive for `SEEN_S`.

    Raises:
        FileNotFoundError: the log was sealed meanwhile.
    """
    seen, place = process.part(Seen), (os.fspath(log), status.st_ino, status.st_mtime_ns)
    if seen.counts(place):
        return True
    found = identity()
    alive = life_of(log, found) is Life.ALIVE
    if alive:
        seen.note(place, found)
    return alive


def on_network_disk(folder: Path) -> bool:
    """Return True if other machines may see a folder.

    Raises:
        OSError: there is no such folder.
    """
    return _is_network_device(folder.stat().st_dev, folder)


@lru_cache(maxsize=64)
def _is_network_device(device: int, folder: Path) -> bool:
    """Return True if `folder`, which lies on `device`, does; a disk keeps its number while it is mounted."""
    mounts = ""
    with suppress(OSError):
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    return is_network_kind(mounted_kind(os.path.realpath(folder), mounts))


def mounted_kind(place: str, mounts: str) -> str:
    """Return the kind of the disk that a whole path lies on by the text of /proc/mounts; an empty one if it has none.

    By texts: a machine with containers has hundreds of lines, and each training reads them.
    """
    best, kind = "", ""
    for line in mounts.splitlines():
        _, point, disk, *_ = line.split(" ")
        if "\\" in point:
            point = re.sub(_ESCAPED, lambda found: chr(int(found[1], 8)), point)
        lies_there = place == point or place.startswith(f"{point.rstrip(os.sep)}{os.sep}")
        if lies_there and len(point) >= len(best):  # of two at one place the later one hides the other
            best, kind = point, disk
    return kind


def is_network_kind(kind: str) -> bool:
    """Return True if other machines may see disks of a kind in /proc/mounts."""
    system, _, driver = kind.partition(".")
    return kind in NETWORK_DISKS or (system == "fuse" and driver not in LOCAL_FUSE)


def _unlocked_life(log: Path, identity: dict[str, Any]) -> Life:
    """Return the life of a writer on this machine whose disk has no locks."""
    if not _shares_pids(identity):
        return _remote_life(log)
    return Life.ALIVE if _is_running(identity) else Life.DEAD


def _remote_life(log: Path) -> Life:
    age_s = time.time() + process.part(Clocks).ahead(log) - log.lstat().st_mtime
    return Life.ALIVE if age_s < STALE_S else Life.SILENT


class Clocks(Part):
    """Knows for a moment by how much the clocks of file servers are ahead of this machine's, by the folder."""

    def __init__(self) -> None:
        self._known: tuple[float, dict[Path, float]] = (0.0, {})

    def ahead(self, log: Path) -> float:
        """Return by how many seconds the clock of a log's file server is ahead."""
        began, known = self._known
        now = time.monotonic()
        if now - began > SAME_CLOCK_S:
            self._known = now, known = now, {}
        if log.parent not in known:
            known[log.parent] = _server_time(log) - time.time()
        return known[log.parent]


def _server_time(log: Path) -> float:
    """Return the time by the clock of the file server of a log; by this machine's where its folder can't be written."""
    probe = f".clock-{os.getpid()}.tmp"
    try:
        with folder_of(log.parent, store_of(log)) as above:
            descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=above)
            try:
                now = os.fstat(descriptor).st_mtime
            finally:
                os.close(descriptor)
                os.unlink(probe, dir_fd=above)
    except OSError:
        return time.time()
    return now


def _shares_pids(identity: dict[str, Any]) -> bool:
    """Return True if the writer's process id means the same process here."""
    return bool(identity.get("pid_namespace") == _pid_namespace())


def _is_running(identity: dict[str, Any]) -> bool:
    pid = identity.get("pid") or 0
    start = process_start(pid)
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


def process_start(pid: int) -> int | None:
    """Return the clock ticks after boot at which a process began; None where it is gone (or a zombie), or unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
