"""What is tested or validated after a fit is added to its run."""

import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from runlore import Store, guest
from runlore.additions import Additions
from runlore_lightning._data import first_dataset
from runlore_lightning._metrics import take
from runlore_lightning._taps import Tap, Taps


class Lone:
    """A test or validation of a checkpoint, without a fit: added to the run that wrote it, if the store knows that."""

    def __init__(self, trainer: Any, store: Store | None) -> None:
        self._trainer = trainer
        self._store = store
        self._found: tuple[Additions, int | None] | None = None
        self._asked = False
        self._taps = Taps()
        self._taps.set(trainer._logger_connector, "log_metrics", self._log_metrics)
        self._taps.set(trainer.strategy, "teardown", self._teardown)

    @classmethod
    def begin(cls, trainer: Any, store: Store | None) -> None:
        """Once for a test, however many callbacks there are."""
        if not isinstance(vars(trainer.strategy).get("teardown"), Tap):
            cls(trainer, store)

    @guest.unseen
    def _log_metrics(self, original: Callable[..., Any], metrics: Any, step: int | None = None) -> Any:
        result = original(metrics, step)
        if metrics:
            self._add(metrics, step)
        return result

    @guest.harmless
    def _add(self, metrics: Any, step: int | None) -> None:
        checkpoint = self._trainer.ckpt_path
        if not self._asked and checkpoint is not None:
            self._asked = True
            self._found = Additions.to_writer_of(checkpoint, self._store)
        if self._found is not None:
            additions, at = self._found
            take(self._trainer, additions.metrics, metrics, step, at=at)

    @guest.unseen
    def _teardown(self, teardown: Callable[[], Any]) -> Any:
        try:
            return teardown()
        finally:
            self._taps.close()
            if self._found is not None:
                self._found[0].run.finish()


class Evaluations:
    """The tests and validations of a module that was fitted, by the trainer that did it."""

    def __init__(self, trainer: Any, run: Any, steps: Mapping[str, tuple[int, int]]) -> None:
        self._module = weakref.ref(trainer.lightning_module)
        self._additions = Additions(run)
        self._steps = steps  # and epochs, by checkpoint
        self._datasets: dict[str, list[Callable[[], Any]]] = {}  # by stage: weak references
        self._taps = Taps()

    def begin(self, trainer: Any) -> None:
        """A test or validation begins; of another module it is none of ours."""
        if self._taps or trainer.lightning_module is not self._module():
            return
        stage = str(trainer.state.fn.value)

        @guest.unseen
        def log_metrics(original: Callable[..., Any], metrics: Any, step: int | None = None) -> Any:
            result = original(metrics, step)
            if metrics:
                suffix = self._suffix(stage, trainer)
                named = {f"{name}{suffix}": value for name, value in metrics.items()} if suffix else metrics
                take(trainer, self._additions.metrics, named, step, at=self._step_of(trainer.ckpt_path))
            return result

        self._taps.set(trainer._logger_connector, "log_metrics", log_metrics)
        self._taps.set(trainer.strategy, "teardown", self._teardown)

    def close(self) -> None:
        """Nothing is tested any more, or was left without a word."""
        if self._taps:
            self._taps.close()
            self._additions.close()

    @guest.unseen
    def _teardown(self, teardown: Callable[[], Any]) -> Any:
        try:
            return teardown()
        finally:
            self.close()

    def _step_of(self, checkpoint: Any) -> int | None:
        """The step that the module is at where it was loaded from a checkpoint of the fit."""
        known = None if checkpoint is None else self._steps.get(os.path.abspath(checkpoint))  # noqa: PTH100
        return None if known is None else known[0]

    def _suffix(self, stage: str, trainer: Any) -> str:
        """Tells several sets of data apart that a model is tested on: the first has the plain names."""
        dataset = first_dataset(trainer.test_dataloaders if stage == "test" else trainer.val_dataloaders)
        seen = self._datasets.setdefault(stage, [])
        for place, known in enumerate(seen):
            if known() is dataset:
                return f"/{stage}_{place + 1}" if place else ""
        try:
            seen.append(weakref.ref(dataset))
        except TypeError:  # a list, say
            seen.append(lambda: dataset)
        return f"/{stage}_{len(seen)}" if len(seen) > 1 else ""
