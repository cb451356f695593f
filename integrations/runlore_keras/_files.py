"""What is recorded of a checkpoint besides its content: the roles that the callbacks give it."""

import os
import re
from collections.abc import Iterable
from string import Formatter
from typing import Any

Meaning = tuple[tuple[str, ...], str | None, Any]


def meaning(path: str, callbacks: Iterable[Any]) -> Meaning:
    """Roles, the monitored metric and its value, of a file that has just been written.

    ModelCheckpoint ranks only where it saves the best only; a backup that is removed at the end is not the last
    checkpoint that somebody wants.
    """
    for callback in callbacks:
        folder = getattr(callback, "backup_dir", None)
        if folder and _absolute(path).startswith(_absolute(folder) + os.sep):
            return ("backup",) if getattr(callback, "delete_checkpoint", True) else ("last",), None, None
        template = getattr(callback, "filepath", None)
        if isinstance(template, str) and getattr(callback, "save_best_only", False) and _matches(path, template):
            return ("last", "best"), callback.monitor, getattr(callback, "best", None)
    return ("last",), None, None


def _matches(path: str, template: str) -> bool:
    """Whether a path is what a template such as "{epoch:02d}-{val_loss:.2f}.keras" gives."""
    parts = [re.escape(text) + (".*" if name is not None else "") for text, name, _, _ in Formatter().parse(template)]
    return re.fullmatch("".join(parts), path, re.DOTALL) is not None


def _absolute(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(path)  # noqa: PTH100  # unlike resolve() it leaves links alone
