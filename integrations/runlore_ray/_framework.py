"""Ray itself: its name, the versions that were tested, and what names an experiment for every process."""

import os
from typing import Any

NAME = "ray"
TESTED = ("2.60",)
TRAINER = "ray.train.v2.api.data_parallel_trainer"  # the module of Train's trainers, which are imported with the first


def check_version() -> None:
    """Warn of a version that runlore was not tested with."""
    import ray

    from runlore.guest import wrapping  # late: the plugin, which every run loads, imports this file

    wrapping.check_version("Ray", ray.__version__, TESTED)


def named(storage: Any, part: str = "") -> str:
    """Return what names an experiment, or a trial in it, by the place where Ray keeps it: the same in every process."""
    kind, place = storage.storage_filesystem.type_name, storage.experiment_fs_path
    if kind == "local":
        place = os.path.realpath(place)
    import hashlib  # late: it takes long to import, and every program's start waits for this file

    return hashlib.sha256(f"{kind}:{place}#{part}".encode()).hexdigest()[:16]


def local_path(checkpoint: Any) -> str:
    """Return where a checkpoint lies: a path of this machine, or for one elsewhere what says so."""
    kind = checkpoint.filesystem.type_name
    return str(checkpoint.path) if kind == "local" else f"{kind}://{checkpoint.path}"
