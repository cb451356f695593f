"""What is recorded of a checkpoint besides its content: the roles that the callbacks give it."""

import os
import re
from collections.abc import Iterable
from string import Formatter
from typing import Any

from keras.callbacks import BackupAndRestore, ModelCheckpoint

Meaning = tuple[tuple[str, ...], str | None, Any]
FIELDS = {"epoch": r"\d+", "batch": r"\d+"}  # of a template; others are metrics
METRIC = r"[-+.\deinfaN]+"


def meaning(path: str, callbacks: Iterable[Any]) -> Meaning:
    """Roles, the monitored metric and its value, of a file that has just been written.

    ModelCheckpoint ranks only where it saves the best only; a backup that is removed at the end is not the last
    checkpoint that somebody wants.
    """
    for callback in callbacks:
        if isinstance(callback, BackupAndRestore):
            if _absolute(path).startswith(_absolute(callback.backup_dir) + os.sep):
                return ("backup",) if callback.delete_checkpoint else ("last",), None, None
        elif isinstance(callback, ModelCheckpoint) and callback.save_best_only and _matches(path, callback.filepath):
            return ("last", "best"), callback.monitor, callback.best
    return ("last",), None, None


def _matches(path: str, template: str) -> bool:
    """Whether a path is what a template such as "{epoch:02d}-{val_loss:.2f}.keras" gives."""
    parts = []
    for text, name, _, _ in Formatter().parse(template):
        parts += [re.escape(text), "" if name is None else rf"\s*{FIELDS.get(name, METRIC)}"]
    return re.fullmatch("".join(parts), path, re.DOTALL) is not None


def _absolute(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(path)  # noqa: PTH100  # unlike resolve() it leaves links alone
