"""Files that models are saved to: their roles in a fit, and those that are saved after it."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from string import Formatter
from typing import Any

from keras.callbacks import BackupAndRestore, ModelCheckpoint

from runlore import guest
from runlore.guest.additions import Additions
from runlore_keras._calls import fit_calls
from runlore_keras._owners import owners

RolesAndScore = tuple[tuple[str, ...], str | None, Any]  # the roles, the monitored metric, its value
FIELDS = {"epoch": r"\d+", "batch": r"\d+"}  # of a template for paths; all others are metrics
METRIC = r"[-+.\deinfaN]+"
MAX_KEPT_BYTES = 100 << 20  # of a model saved after its fit; a larger one is hashed only


@guest.harmless
def record_saved(model: Any, path: str) -> None:
    """Record the file that a model was saved to: a checkpoint of a fit under way, or a file of the run before."""
    owner, call = owners().last(model), fit_calls.innermost
    if owner is not None and owner.training is not None:
        owner.training.saved(model, path)
    elif call is not None:
        for training in call.trainings:
            training.saved(model, path)
    elif owner is not None and owners().of(model) is owner and "://" not in path:
        Additions(owner.session.run).file(Path(path), kind="model", most=MAX_KEPT_BYTES, step=owner.step)


def roles_and_score(path: str, callbacks: Iterable[Any]) -> RolesAndScore:
    """Return the roles, the monitored metric and its value for a file that the callbacks of a fit have just written.

    ModelCheckpoint ranks files only where it saves the best only. A backup that goes at the end of the fit is not the
    checkpoint to look for under "last".
    """
    for callback in callbacks:
        if isinstance(callback, BackupAndRestore):
            if _absolute(path).startswith(_absolute(callback.backup_dir) + os.sep):
                return ("backup",) if callback.delete_checkpoint else ("last",), None, None
        elif isinstance(callback, ModelCheckpoint) and callback.save_best_only and _matches(path, callback.filepath):
            return ("last", "best"), callback.monitor, callback.best
    return ("last",), None, None


def _matches(path: str, template: str) -> bool:
    """Return True if a template such as "{epoch:02d}-{val_loss:.2f}.keras" can give this path."""
    parts = []
    for text, name, _, _ in Formatter().parse(template):
        parts += [re.escape(text), "" if name is None else rf"\s*{FIELDS.get(name, METRIC)}"]
    return re.fullmatch("".join(parts), path, re.DOTALL) is not None


def _absolute(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(path)  # noqa: PTH100  # unlike resolve() it leaves links alone
