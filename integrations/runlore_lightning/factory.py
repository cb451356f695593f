"""What Lightning calls for every Trainer, also where nobody has asked for runlore: it imports next to nothing."""

import os
import sys
from pathlib import Path
from typing import Any


def callbacks() -> list[Any]:
    """The callback for a new Trainer if autolog is on. Never raises: that would end `Trainer()`."""
    if not _may_be_on():
        return []
    from runlore_lightning.plugin import callbacks

    return callbacks()


def _may_be_on() -> bool:
    """Whether anything says so: the process uses runlore, or a variable or a project names its autolog."""
    if "runlore.plugins.autolog" in sys.modules or "RUNLORE_AUTOLOG" in os.environ:
        return True
    try:
        here = Path.cwd()
        for path in (folder / "pyproject.toml" for folder in (here, *here.parents)):
            if path.exists():
                return b"autolog" in path.read_bytes()
    except OSError:  # a folder that is gone, or can't be read
        return False
    return False
