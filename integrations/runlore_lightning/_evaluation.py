"""Add what is tested or validated, behind a fit or without one, to the run that the weights are of."""

from collections.abc import Mapping
from typing import Any

from runlore import Store, guest
from runlore.guest.additions import Additions
from runlore.guest.loaders import length
from runlore_lightning._checkpoints import absolute
from runlore_lightning._data import first_dataset
from runlore_lightning._metrics import Points
from runlore_lightning._owners import Owner

Target = tuple[Additions, int | None]  # a run, and the step of the weights if it is not the trainer's


class Evaluation:
    """A test or validation of a fitted module, or of a checkpoint that some run wrote (`owner` is None)."""

    def __init__(self, owner: Owner | None, store: Store | None) -> None:
        self._owner = owner
        self._store = store
        self._target: Target | None = None
        self._looked_up = False

    @guest.harmless
    def take(self, trainer: Any, metrics: Mapping[str, Any], step: int | None) -> None:
        """Add metrics that the trainer gives to its loggers: by now the weights are loaded."""
        if not self._looked_up:
            self._looked_up = True
            self._target = self._find(trainer)
        if self._target is not None:
            additions, at = self._target
            suffix = self._suffix(trainer)
            named = {f"{name}{suffix}": value for name, value in metrics.items()} if suffix else metrics
            Points(trainer, additions.metrics, at).write(named, step)

    def end(self) -> None:
        """Close the run; nothing is added after that."""
        if self._target is not None:
            self._target[0].close()
        self._target, self._looked_up = None, True

    def _find(self, trainer: Any) -> Target | None:
        """Return the run that the weights are of; None where no run is known to have made them."""
        owner, checkpoint = self._owner, trainer.ckpt_path
        if checkpoint is None:
            return None if owner is None else (Additions(owner.session.run), None)
        known = None if owner is None else owner.steps.get(absolute(checkpoint))
        if owner is None or known is None:
            return Additions.to_writer_of(checkpoint, self._store)
        return Additions(owner.session.run), known[0]

    def _suffix(self, trainer: Any) -> str:
        """Return what stands behind the names, to tell sets of data apart: nothing for the first that a fit met."""
        if self._owner is None:
            return ""
        stage = str(trainer.state.fn.value)
        dataset = first_dataset(trainer.test_dataloaders if stage == "test" else trainer.val_dataloaders)
        return self._owner.sets.suffix(stage, (type(dataset).__qualname__, length(dataset)))
