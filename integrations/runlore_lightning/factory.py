"""The function that Lightning calls for every new Trainer, also where nobody asked for runlore: it imports little."""

import os
import sys
from pathlib import Path
from typing import Any


def callbacks() -> list[Any]:
    """Return the callback for a new Trainer if autolog is on. Never raises: that would end `Trainer()`."""
    if not _may_be_on():
        return []
    from runlore_lightning.plugin import callbacks

    return callbacks()


def _may_be_on() -> bool:
    """Return True if the process uses runlore, or if a variable or the project names its autolog."""
    if "runlore" in sys.modules or "RUNLORE_AUTOLOG" in os.environ:
        return True
    try:
        here = Path.cwd()
        for path in (folder / "pyproject.toml" for folder in (here, *here.parents)):
            if path.exists():
                return b"autolog" in path.read_bytes()
    except OSError:  # a folder that is gone, or can't be read
        return False
    return False
