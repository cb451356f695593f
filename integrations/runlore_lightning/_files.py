"""What is recorded of a checkpoint: its step, its score, and the roles that the ModelCheckpoint callbacks give it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runlore import FitSession

SEARCHES = (".lr_find_", ".scale_batch_size_")  # what a search for a rate or a size saves, to go back to


class Files:
    """The checkpoints of one fit. `steps` holds step and epoch by path."""

    def __init__(self, trainer: Any, session: FitSession) -> None:
        self._trainer = trainer
        self._session = session
        self._links: dict[str, str] = {}  # link: what it leads to
        self.steps: dict[str, tuple[int, int]] = {}

    def saved(self, filepath: Any) -> None:
        """The trainer saved a checkpoint."""
        trainer = self._trainer
        path = os.fspath(filepath)
        step, epoch = self.steps[_absolute(path)] = trainer.global_step, trainer.current_epoch
        roles, monitor, value = self._meaning(path)
        self.note_links()
        later = _later(trainer)
        self._session.checkpoint(path, step=step, epoch=epoch, monitor=monitor, value=value, roles=roles, later=later)

    def note_links(self) -> None:
        """Links that `save_last="link"` made: nothing tells of them."""
        for callback in self._trainer.checkpoint_callbacks:
            path = getattr(callback, "last_model_path", "")
            if path and Path(path).is_symlink():
                target = os.path.realpath(path)
                if self._links.get(path) != target:
                    self._links[path] = target
                    step, epoch = self.steps.get(target, (self._trainer.global_step, self._trainer.current_epoch))
                    self.steps[_absolute(path)] = step, epoch
                    self._session.checkpoint(path, step=step, epoch=epoch, roles=("last",))

    def _meaning(self, path: str) -> tuple[tuple[str, ...], str | None, Any]:
        """Roles, the monitored metric and its value."""
        roles = ["last"]
        monitor = value = None
        ranking = [callback for callback in self._trainer.checkpoint_callbacks if hasattr(callback, "best_model_path")]
        for place, callback in enumerate(ranking):
            name, best = callback.monitor, callback.best_model_path
            if path == best:
                roles.append("best" if place == 0 else f"best_{name or place}")
            scores = callback.best_k_models
            same_step = self.steps.get(_absolute(best), (None,))[0] == self._trainer.global_step
            if path in scores:
                monitor, value = name, scores[path]
            elif path == callback.last_model_path and same_step and monitor is None:
                monitor, value = name, scores.get(best)
        return tuple(roles), monitor, value


def is_of_a_search(filepath: Any) -> bool:
    """Whether a checkpoint is one that Lightning's tuner writes to go back to, and removes."""
    return Path(filepath).name.startswith(SEARCHES)


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100  # unlike resolve() it leaves links alone


def _later(trainer: Any) -> Callable[[Callable[[], None]], object] | None:
    """Where checkpoints are written by a thread: what puts something into its queue, behind the one just saved."""
    executor = getattr(trainer.strategy.checkpoint_io, "_executor", None)
    return None if executor is None else executor.submit
