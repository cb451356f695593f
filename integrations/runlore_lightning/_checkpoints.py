"""Record checkpoints: their step, their score, and the roles that the ModelCheckpoint callbacks give them."""

import os
from pathlib import Path
from typing import Any

from runlore import FitSession
from runlore.guest.checkpoints import best_roles
from runlore_lightning._framework import checkpoint_queue
from runlore_lightning._optimizers import steps_done
from runlore_lightning._owners import StepsByPath

RolesAndScore = tuple[tuple[str, ...], str | None, Any]  # roles, the monitored metric, its value


class Checkpoints:
    """The checkpoints of one fit; step and epoch of each are put into `steps`."""

    def __init__(self, trainer: Any, session: FitSession, steps: StepsByPath) -> None:
        self._trainer = trainer
        self._session = session
        self._steps = steps
        self._links: dict[str, str] = {}  # from a link's path to what it leads to

    def saved(self, filepath: Any) -> None:
        """Record a checkpoint that the trainer has saved."""
        trainer = self._trainer
        path = os.fspath(filepath)
        step, epoch = self._steps[absolute(path)] = steps_done(trainer), trainer.current_epoch
        roles, monitor, value = roles_and_score(path, trainer, self._steps)
        self.note_links()
        later = checkpoint_queue(trainer)
        self._session.checkpoint(path, step=step, epoch=epoch, monitor=monitor, value=value, roles=roles, later=later)

    def note_links(self) -> None:
        """Record the links that `save_last="link"` made since: no hook tells of them."""
        for callback in self._trainer.checkpoint_callbacks:
            path = getattr(callback, "last_model_path", "")
            if path and Path(path).is_symlink():
                target = os.path.realpath(path)
                if self._links.get(path) != target:
                    self._links[path] = target
                    step, epoch = self._steps.get(target, (steps_done(self._trainer), self._trainer.current_epoch))
                    self._steps[absolute(path)] = step, epoch
                    self._session.checkpoint(path, step=step, epoch=epoch, roles=("last",))


def roles_and_score(path: str, trainer: Any, steps: StepsByPath) -> RolesAndScore:
    """Return the roles of a checkpoint that was just saved, the metric that it is ranked by, and its value.

    Only a callback with a monitor ranks; its best has the `best_roles`.
    """
    roles = ["last"]
    monitor = value = None
    callbacks = [callback for callback in trainer.checkpoint_callbacks if hasattr(callback, "best_model_path")]
    ranking = [callback for callback in callbacks if callback.monitor is not None]
    monitors = [callback.monitor for callback in ranking]
    for place, callback in enumerate(ranking):
        name, best, scores = callback.monitor, callback.best_model_path, callback.best_k_models
        if path == best:
            roles += best_roles(monitors, place)
        same_step = steps.get(absolute(best), (None,))[0] == steps_done(trainer)
        if path in scores:
            monitor, value = name, scores[path]
        elif path == callback.last_model_path and same_step and monitor is None:
            monitor, value = name, scores.get(best)
    return tuple(roles), monitor, value


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the absolute path; unlike `Path.resolve` this leaves links alone."""
    return os.path.abspath(path)  # noqa: PTH100
