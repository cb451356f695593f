"""Which process of a training this is: only the leader writes a run."""

import multiprocessing
import os

LAUNCHERS = (  # what tells the number of processes, and what tells the place of this one; 0 leads
    ("WORLD_SIZE", ("RANK",)),  # torchrun
    ("WORLD_SIZE", ("LOCAL_RANK", "NODE_RANK")),  # a trainer that starts the script again
    ("OMPI_COMM_WORLD_SIZE", ("OMPI_COMM_WORLD_RANK",)),  # mpirun
)


def is_follower() -> bool:
    """Whether a launcher started this process beside one that leads, by the variables it left."""
    for size, ranks in LAUNCHERS:
        found = [os.environ.get(name, "") for name in ranks]
        if os.environ.get(size, "").isdecimal() and any(found):
            return any(rank.isdecimal() and int(rank) > 0 for rank in found)
    return False


def is_worker() -> bool:
    """Whether this process works for another one: a pool's, a loader's, a follower's."""
    return multiprocessing.current_process().name != "MainProcess" or is_follower()
