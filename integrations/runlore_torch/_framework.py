"""torch itself: its name, the versions that were tested, whose code calls an optimizer, and who leads."""

import os
import sys
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

NAME = "torch"
TESTED = ("2.12", "2.13")
THROUGH = ("torch", "accelerate", "lightning_fabric", "lightning.fabric")  # packages that hand a user's call on
WRAPPERS = {"DistributedDataParallel": "module", "DataParallel": "module", "FullyShardedDataParallel": "module",
            "OptimizedModule": "_orig_mod", "_FabricModule": "module"}  # fmt: skip  # and what they hold


def check_version() -> None:
    """Warn of a version that runlore was not tested with."""
    import torch

    from runlore.guest import wrapping  # late: the plugin, which every run loads, imports this file

    wrapping.check_version("PyTorch", torch.__version__, TESTED)


def users_frames(frame: FrameType | None) -> list[FrameType]:
    """Return the frames of the user's own code that has made a call, the innermost first; none where a library made it.

    A library is what is installed: it lies in a folder of packages, or among Python's own modules. The frames end where
    code of a library has called the user's.
    """
    while frame is not None and _is_handed_on(frame):
        frame = frame.f_back
    found = []
    while frame is not None and not is_library(frame.f_code.co_filename):
        found.append(frame)
        frame = frame.f_back
    return found


def _is_handed_on(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    own = name.partition(".")[0] in ("runlore", "runlore_torch", "contextlib")
    return own or any(name == package or name.startswith(f"{package}.") for package in THROUGH)


@cache
def is_library(file: str) -> bool:
    """Return True for a file of an installed package, or of Python."""
    import sysconfig  # late: each program that `runlore run` is given waits for this file

    paths = sysconfig.get_paths()
    folders = {os.path.realpath(paths[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    place = os.path.realpath(file)
    is_installed = any(part in ("site-packages", "dist-packages") for part in Path(place).parts)
    return file.startswith("<frozen") or is_installed or any(place.startswith(folder + os.sep) for folder in folders)


def leads() -> bool | None:
    """Return True in the process of rank 0, False beside it; None where torch itself runs in one process."""
    distributed: Any = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return bool(distributed.get_rank() == 0)


def unwrapped(module: Any) -> tuple[Any, list[str]]:
    """Return a module without what it is wrapped in, and the names of the wrappers."""
    wrappers = []
    while type(module).__name__ in WRAPPERS:
        inner = getattr(module, WRAPPERS[type(module).__name__], None)
        if inner is None:
            break
        wrappers.append(type(module).__name__)
        module = inner
    return module, wrappers
