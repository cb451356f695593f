"""Files that models are saved to: their roles in a fit, and those that are saved after it."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from string import Formatter
from typing import Any

from keras.callbacks import BackupAndRestore, ModelCheckpoint

from runlore import guest
from runlore.guest.checkpoints import best_roles
from runlore_keras._calls import fit_calls
from runlore_keras._owners import additions_of, owners

RolesAndScore = tuple[tuple[str, ...], str | None, Any]  # the roles, the monitored metric, its value
FIELDS = {"epoch": r"\d+", "batch": r"\d+"}  # of a template for paths; all others are metrics
METRIC = r"[-+.\deinfaN]+"
MAX_KEPT_BYTES = 100 << 20  # of a model saved after its fit; a larger one is hashed only


@guest.harmless
def record_saved(model: Any, path: str) -> None:
    """Record the file that a model was saved to: a checkpoint of a fit under way, or a file of the weights' run."""
    owner, call = owners().last(model), fit_calls.innermost
    if owner is not None and owner.training is not None:
        owner.training.saved(model, path)
    elif call is not None:
        for training in call.trainings:
            training.saved(model, path)
    elif "://" not in path:
        additions = additions_of(model)
        if additions is not None:
            additions.file(Path(path), kind="model", most=MAX_KEPT_BYTES, step=additions.step, epoch=additions.epoch)


def roles_and_score(path: str, callbacks: Iterable[Any]) -> RolesAndScore:
    """Return the roles, the monitored metric and its value for a file that the callbacks of a fit have just written.

    ModelCheckpoint ranks files only where it saves the best only; these have the `best_roles`. A backup that goes at
    the end of the fit is not the checkpoint to look for under "last".
    """
    found = list(callbacks)
    for callback in found:
        if isinstance(callback, BackupAndRestore) and absolute(path).startswith(absolute(callback.backup_dir) + os.sep):
            return ("backup",) if callback.delete_checkpoint else ("last",), None, None
    ranking = [item for item in found if isinstance(item, ModelCheckpoint) and item.save_best_only]
    for place, callback in enumerate(ranking):
        if _matches(path, callback.filepath):
            roles = best_roles([item.monitor for item in ranking], place)
            return ("last", *roles), callback.monitor, callback.best
    return ("last",), None, None


def _matches(path: str, template: str) -> bool:
    """Return True if a template such as "{epoch:02d}-{val_loss:.2f}.keras" can give this path."""
    parts = []
    for text, name, _, _ in Formatter().parse(template):
        parts += [re.escape(text), "" if name is None else rf"\s*{FIELDS.get(name, METRIC)}"]
    return re.fullmatch("".join(parts), path, re.DOTALL) is not None


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file."""
    return os.path.abspath(path)  # noqa: PTH100  # unlike resolve() it leaves links alone
