"""The place of this process in a distributed training: only the leader writes a run."""

import os
import sys
from types import FrameType

from runlore._process import Part, process

LAUNCHERS = (  # variables with the number of processes, and with the place of this one; 0 leads
    ("WORLD_SIZE", ("RANK",)),  # torchrun
    ("WORLD_SIZE", ("LOCAL_RANK", "NODE_RANK")),  # a trainer that starts the script again
    ("OMPI_COMM_WORLD_SIZE", ("OMPI_COMM_WORLD_RANK",)),  # mpirun
)

POOLS = {"multiprocessing", "concurrent", "threading", "joblib", "loky", "multiprocess"}  # modules that call tasks
BEGINNING = "_bootstrap"  # of a process and of a thread; around it stand, in a forked one, its parent's functions


def is_follower() -> bool:
    """Return True where a launcher started this process beside one that leads, by the variables that it set."""
    return any(rank.isdecimal() and int(rank) > 0 for rank in _ranks())


def was_launched() -> bool:
    """Return True where a launcher started this process, as one that leads or beside it."""
    return any(_ranks())


def _ranks() -> list[str]:
    """Return the place of this process as the first launcher tells it that set its variables; nothing without one."""
    for size, ranks in LAUNCHERS:
        if os.environ.get(size, "").isdecimal():
            found = [os.environ.get(name, "") for name in ranks]
            if any(found):
                return found
    return []


class _Leading(Part):
    """Notes that this process leads a training, whoever has started it; those that it forks don't.

    And that a task of a pool has trained here, which makes it no leader.
    """

    def __init__(self) -> None:
        self.is_leader = False
        self.has_trained = False


class Forked(Part):
    """Notes if this process was forked while some training was under way, for which it works then."""

    inherited = True

    def __init__(self) -> None:
        self.in_training = False


def lead() -> None:
    """Note that this process leads a training: that another one has started it makes it no worker from now on."""
    process.part(_Leading).is_leader = True


def leads() -> bool:
    """Return True in a process that leads a training, as far as `lead` was told."""
    return process.part(_Leading).is_leader


def may_train() -> bool:
    """Return True where a training is to be recorded: not in what works for another process.

    A function of the user's own that a pool calls trains by itself, as the script does. What such a one does in this
    process counts from now on.
    """
    if is_worker():
        if is_follower() or process.part(Forked).in_training or not _is_users_task():
            return False
        process.part(_Leading).has_trained = True
    return True


def has_trained() -> bool:
    """Return True in a worker of which some function of the user's has trained by itself."""
    return process.part(_Leading).has_trained


def is_child() -> bool:
    """Return True in a process of multiprocessing's: a worker of a pool, of a data loader."""
    loaded = sys.modules.get("multiprocessing.process")  # as in every child of multiprocessing; its import takes long
    return loaded is not None and loaded.current_process().name != "MainProcess"


def is_worker() -> bool:
    """Return True where this process works for another one: in a pool, for a data loader, as a follower.

    Not within functions of the user's own once one has trained here by itself.
    """
    return is_follower() or (is_child() and not leads() and not (has_trained() and _is_users_task()))


def _is_users_task() -> bool:
    """Return True if what the pool of this worker has called is the user's own code, or the very call that asks.

    A fit of a library's pool, as a search has one, is called by the library, whatever code of the user's it calls.
    """
    from runlore._callers import is_users_file  # which only workers need

    frame: FrameType | None = sys._getframe(1)
    task = None
    while frame is not None and frame.f_code.co_name != BEGINNING:
        module = str(frame.f_globals.get("__name__"))
        if not (module.startswith("runlore") or any(part in POOLS for part in module.split("."))):
            task = frame.f_code
        frame = frame.f_back
    return task is None or is_users_file(task.co_filename)
