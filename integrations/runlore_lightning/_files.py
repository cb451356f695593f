"""What is recorded of a checkpoint: its step, its score, and the roles that the ModelCheckpoint callbacks give it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runlore import FitSession


class Files:
    """The checkpoints of one fit."""

    def __init__(self, trainer: Any, session: FitSession) -> None:
        self._trainer = trainer
        self._session = session
        self._links: dict[str, str] = {}  # link: what it leads to
        self._steps: dict[str, tuple[int, int]] = {}  # step and epoch of a path

    def saved(self, filepath: Any) -> None:
        """The trainer saved a checkpoint."""
        trainer = self._trainer
        path = os.fspath(filepath)
        step, epoch = self._steps[path] = trainer.global_step, trainer.current_epoch
        roles, monitor, value = self._meaning(path)
        self.note_links()
        self._session.checkpoint(
            path, step=step, epoch=epoch, monitor=monitor, value=value, roles=roles, ready=_written(trainer)
        )

    def note_links(self) -> None:
        """Links that `save_last="link"` made: nothing tells of them."""
        for callback in self._trainer.checkpoint_callbacks:
            path = getattr(callback, "last_model_path", "")
            if path and Path(path).is_symlink():
                target = os.path.realpath(path)
                if self._links.get(path) != target:
                    self._links[path] = target
                    step, epoch = self._steps.get(target, (self._trainer.global_step, self._trainer.current_epoch))
                    self._session.checkpoint(path, step=step, epoch=epoch, roles=("last",))

    def _meaning(self, path: str) -> tuple[tuple[str, ...], str | None, Any]:
        """Roles, the monitored metric and its value."""
        roles = ["last"]
        monitor = value = None
        for place, callback in enumerate(self._trainer.checkpoint_callbacks):
            name = getattr(callback, "monitor", None)
            if path == getattr(callback, "best_model_path", ""):
                roles.append("best" if place == 0 else f"best_{name or place}")
            scores = getattr(callback, "best_k_models", None) or {}
            best = getattr(callback, "best_model_path", "")
            same_step = self._steps.get(best, (None,))[0] == self._trainer.global_step
            if path in scores:
                monitor, value = name, scores[path]
            elif path == getattr(callback, "last_model_path", "") and same_step and monitor is None:
                monitor, value = name, scores.get(best)
        return tuple(roles), monitor, value


def _written(trainer: Any) -> Callable[[], object] | None:
    """What to wait for until a file is there: where checkpoints are written by a thread, the next work in its queue."""
    executor = getattr(trainer.strategy.checkpoint_io, "_executor", None)
    if executor is None:
        return None
    result: Callable[[], object] = executor.submit(_nothing).result
    return result


def _nothing() -> None:
    """The thread is through with what came before."""
