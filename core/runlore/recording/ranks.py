"""The place of this process in a distributed training: only the leader writes a run."""

import os
import sys

from runlore._process import Part, process

LAUNCHERS = (  # variables with the number of processes, and with the place of this one; 0 leads
    ("WORLD_SIZE", ("RANK",)),  # torchrun
    ("WORLD_SIZE", ("LOCAL_RANK", "NODE_RANK")),  # a trainer that starts the script again
    ("OMPI_COMM_WORLD_SIZE", ("OMPI_COMM_WORLD_RANK",)),  # mpirun
)


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
    """Notes that this process leads a training, whoever has started it; those that it forks don't."""

    def __init__(self) -> None:
        self.is_leader = False


def lead() -> None:
    """Note that this process leads a training: that another one has started it makes it no worker from now on."""
    process.part(_Leading).is_leader = True


def leads() -> bool:
    """Return True in a process that leads a training, as far as `lead` was told."""
    return process.part(_Leading).is_leader


def is_worker() -> bool:
    """Return True where this process works for another one: in a pool, for a data loader, as a follower."""
    if is_follower():
        return True
    loaded = sys.modules.get("multiprocessing.process")  # as in every child of multiprocessing; its import takes long
    return loaded is not None and loaded.current_process().name != "MainProcess" and not leads()
