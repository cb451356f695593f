"""The files that a script writes: which run they belong to, and how they are kept."""

import os
from pathlib import Path
from typing import Any

from runlore import guest
from runlore.guest.additions import Additions

MAX_KEPT_BYTES = 100 << 20  # of a file; a larger one is hashed only


def record_written(target: Any, kind: str) -> None:
    """Record a file that was just written, by its path, in the current run; what is no path is passed over."""
    run = guest.open_run() if isinstance(target, str | os.PathLike) else None
    if run is not None:
        Additions(run).file(Path(target).absolute(), kind=kind, most=MAX_KEPT_BYTES)
