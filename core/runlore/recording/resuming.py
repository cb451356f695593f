"""Go on with an earlier run: the job that this process belongs to, whether the run is whole, and still written."""

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from runlore._frozen import Frozen, late
from runlore._settings import setting
from runlore._warnings import tell, valid_or
from runlore.log import liveness
from runlore.log.folder import Folder
from runlore.log.liveness import Life

if TYPE_CHECKING:  # what only a run that goes on with another needs
    from runlore.log.reader import Content
    from runlore.log.record import Record, Writers

WATCH_S = 1.0  # between looks at a log that a process on another machine may still write
STILL_WRITTEN = "is still being written"
FINISHED = "had finished"
SIGNS = 2  # of life that tell a living writer from one whose last write was only seen late

_POD = r"-[bcdfghjklmnpqrstvwxz2456789]{5}$"  # what Kubernetes puts behind the name of a job for each pod


@late
class Job(Frozen):
    """A job by its id, which it keeps when it is started again.

    `start` tells its starts apart, where the scheduler says that an earlier one has ended; else it is None.
    """

    id: str
    start: str | None = None

    def is_later_start_of(self, other: object) -> bool:
        """Return True where `other`, the job in an opening event, is an earlier start of this one."""
        if not isinstance(other, dict) or self.start is None or other.get("start") is None:
            return False
        return other.get("id") == self.id and other["start"] != self.start


@late
class Earlier(Frozen):
    """An earlier run, with its files; `obstacle` says why it is not gone on with, and is empty where it is."""

    record: "Record"
    writers: "Writers"
    obstacle: str


def find_job() -> Job | None:
    """Return the job of this process: that of RUNLORE_JOB, else Slurm's, else Kubernetes'; None without one."""
    named = (valid_or(None, setting, "job") or "").strip()
    if named:
        return Job(named)
    number = os.environ.get("SLURM_JOB_ID", "")
    if number:
        cluster = os.environ.get("SLURM_CLUSTER_NAME", "")
        name = "/".join(filter(None, ("slurm", cluster, number)))
        return Job(name, os.environ.get("SLURM_RESTART_COUNT") or "0")  # Slurm ends a job before it starts it again
    pod = os.environ.get("HOSTNAME", "")
    if os.environ.get("KUBERNETES_SERVICE_HOST") and pod:
        return Job(f"kubernetes/{re.sub(_POD, '', pod)}")
    return None


def look_at(folder: Folder, run_id: str, job: Job | None) -> Earlier:
    """Return a run that is to go on. Whether a writer on another machine still lives is waited for.

    A start of the same job before this one has ended, as its scheduler says: its run goes on, whatever it seems to be.
    """
    from runlore.log.record import read_record

    record, writers = read_record(folder, run_id)
    if writers.closed:
        return Earlier(record, writers, "can't be read here")
    owners = writers.owners()
    if job is not None and owners and job.is_later_start_of(owners[-1].opening.get("job")):
        return Earlier(record, writers, "")
    busy = _busy(writers)
    if busy:
        if _is_written(busy, record.name):
            return Earlier(record, writers, STILL_WRITTEN)
        record, writers = read_record(folder, run_id)
    return Earlier(record, writers, FINISHED if _is_whole(record, writers) else "")


def _is_whole(record: "Record", writers: "Writers") -> bool:
    """Return True for a run that finished, unless the process left early: by `sys.exit`, or without its end."""
    end = writers.owners()[-1].end if writers.owners() else None
    left = end is not None and ((end.get("error") or {}).get("type") == "SystemExit" or end.get("with_process") is True)
    return record.status == "finished" and not left


def _busy(writers: "Writers") -> "list[Content]":
    return [content for content in writers.owners() if content.life is Life.ALIVE and content.end is None]


def _is_written(busy: "list[Content]", name: str) -> bool:
    """Return True if somebody still writes; a writer on another machine has as long as it is not taken for dead."""
    if not all(liveness.is_elsewhere(content.opening) for content in busy):
        return True  # on this machine a lock tells
    until = time.monotonic() + 2 * liveness.STALE_S
    seen, signs = _states(busy), 0
    tell(f"run {name} may still be written on another machine: waiting for at most 90 s to see")
    while seen is not None and time.monotonic() < until:
        time.sleep(WATCH_S)
        if not any(_lives(content) for content in busy):
            return False
        found = _states(busy)
        signs += found != seen
        seen = found
        if signs >= SIGNS:
            return True
    return seen is not None


def _lives(content: "Content") -> bool:
    try:
        return liveness.life_of(content.path, liveness.identity_of(content.events)) is Life.ALIVE
    except OSError:  # it was sealed meanwhile
        return False


def _states(busy: "list[Content]") -> list[tuple[int, int]] | None:
    """Return size and time of the logs; None where one is gone."""
    try:
        return [_state(content.path) for content in busy]
    except OSError:
        return None


def _state(path: Path) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116
    return found.st_size, found.st_mtime_ns
