"""Folders that a Trainer writes: checkpoints with roles and score, and models that `save_model` writes afterwards."""

import os
from pathlib import Path
from typing import Any

from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint

from runlore import guest
from runlore_transformers._framework import checkpoint_folder
from runlore_transformers._owners import owners

RolesAndScore = tuple[tuple[str, ...], str | None, Any]  # the roles, the monitored metric, its value
MAX_KEPT_BYTES = 100 << 20  # of a model saved after its training; a larger one is hashed only


def checkpoint_at(trainer: Any, trial: Any, step: int) -> str:
    """Return the folder of the checkpoint that a Trainer writes at a step."""
    return os.path.join(checkpoint_folder(trainer, trial), f"{PREFIX_CHECKPOINT_DIR}-{step}")


def checkpoint_to_resume(trainer: Any, asked: Any) -> str | None:
    """Return the folder that training goes on from; `asked` is True for the last one in the output folder."""
    if asked is True:
        folder = trainer.args.output_dir
        found = get_last_checkpoint(folder) if Path(folder).is_dir() else None
        return None if found is None else str(found)
    return os.fspath(asked) if isinstance(asked, str | os.PathLike) else None


def roles_and_score(folder: str, state: Any, args: Any) -> RolesAndScore:
    """Return the roles, the monitored metric and its value for a checkpoint that has just been written."""
    name = args.metric_for_best_model
    if name is None:
        return ("last",), None, None
    name = name if name.startswith("eval_") else f"eval_{name}"
    here = (item for item in reversed(state.log_history) if item.get("step") == state.global_step)
    value = next((item[name] for item in here if name in item), None)
    best = state.best_model_checkpoint is not None and Path(state.best_model_checkpoint) == Path(folder)
    return ("last", "best") if best else ("last",), name, value


class Saving:
    """A call of `save_model` after a recorded training; the files that it writes become one artifact."""

    def __init__(self, trainer: Any, folder: Any) -> None:
        owner = owners().of(trainer) if trainer.args.should_save else None
        self._owner = (
            owner if owner is not None and owner.training is None else None
        )  # else it is a part of the training
        self._model = trainer.model
        self._folder = Path(folder or trainer.args.output_dir)
        self._before = self._files() if self._owner is not None else {}

    @guest.harmless
    def record(self) -> None:
        """Record the files that the call has written, not others that lie in the folder."""
        owner = self._owner
        if owner is None:
            return
        written = [path for path, state in self._files().items() if self._before.get(path) != state]
        if written:
            additions = owner.additions_for(self._model)
            if additions is None:
                return  # the weights have changed since
            step, epoch = additions.step, additions.epoch
            additions.files(self._folder, written, kind="model", most=MAX_KEPT_BYTES, step=step, epoch=epoch)
            additions.close()

    def _files(self) -> dict[Path, tuple[int, ...] | None]:
        """Return the files in the folder itself with their states; checkpoints lie in folders below it."""
        if not self._folder.is_dir():
            return {}
        return {path: guest.file_state(path) for path in sorted(self._folder.iterdir()) if path.is_file()}
