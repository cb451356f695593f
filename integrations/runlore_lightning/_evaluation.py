"""What is tested or validated after a fit, or without one, is added to the run that the weights are of."""

import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from runlore import Store, guest
from runlore.guest.additions import Additions, Sets
from runlore.guest.loaders import length
from runlore_lightning._data import first_dataset
from runlore_lightning._metrics import take
from runlore_lightning._taps import Taps

_under_way: "weakref.WeakKeyDictionary[Any, Evaluation]" = weakref.WeakKeyDictionary()  # by trainer

Target = tuple[Additions, int | None]  # and the step that the weights are of, if it is not the trainer's


class Evaluation:
    """A test or validation under way. `find` says what run it belongs to, once the weights are loaded."""

    def __init__(self, trainer: Any, find: Callable[[Any], Target | None], suffix: Callable[[Any], str]) -> None:
        self._find = find
        self._suffix = suffix
        self._target: list[Target | None] = []  # empty until it was asked for
        self._trainer = weakref.ref(trainer)
        self._taps = Taps()
        self._taps.set(trainer._logger_connector, "log_metrics", self._log_metrics)
        self._taps.set(trainer.strategy, "teardown", self._teardown)
        _under_way[trainer] = self

    def close(self) -> None:
        """It is over, or was left without a word."""
        self._taps.close()
        trainer = self._trainer()
        if trainer is not None and _under_way.get(trainer) is self:
            del _under_way[trainer]
        for target in self._target:
            if target is not None:
                target[0].close()
        self._target = []

    @guest.unseen
    def _log_metrics(self, original: Callable[..., Any], metrics: Any, step: int | None = None) -> Any:
        result = original(metrics, step)
        trainer = self._trainer()
        if metrics and trainer is not None:
            self._add(trainer, metrics, step)
        return result

    @guest.harmless
    def _add(self, trainer: Any, metrics: Mapping[str, Any], step: int | None) -> None:
        if not self._target:
            self._target.append(self._find(trainer))
        target = self._target[0]
        if target is not None:
            suffix = self._suffix(trainer)
            named = {f"{name}{suffix}": value for name, value in metrics.items()} if suffix else metrics
            take(trainer, target[0].metrics, named, step, target[1])

    @guest.unseen
    def _teardown(self, teardown: Callable[[], Any]) -> Any:
        try:
            return teardown()
        finally:
            self.close()


class Evaluations:
    """The tests and validations of a module that was fitted."""

    def __init__(self, run: Any, steps: Mapping[str, tuple[int, int]]) -> None:
        self._run = run
        self._steps = steps  # and epochs, by checkpoint
        self._sets = Sets()

    def begin(self, trainer: Any, store: Store | None) -> None:
        """One begins."""
        Evaluation(trainer, lambda trainer: self._target(trainer, store), self._suffix)

    def _target(self, trainer: Any, store: Store | None) -> Target | None:
        checkpoint = trainer.ckpt_path
        if checkpoint is None:
            return Additions(self._run), None
        known = self._steps.get(os.path.abspath(checkpoint))  # noqa: PTH100
        return Additions.to_writer_of(checkpoint, store) if known is None else (Additions(self._run), known[0])

    def _suffix(self, trainer: Any) -> str:
        """Tells several sets of data apart that a model is tested on: the first has the plain names."""
        stage = str(trainer.state.fn.value)
        dataset = first_dataset(trainer.test_dataloaders if stage == "test" else trainer.val_dataloaders)
        return self._sets.suffix(stage, (type(dataset).__qualname__, length(dataset)))


def begin_lone(trainer: Any, store: Store | None) -> None:
    """A test or validation of a checkpoint, without a fit: added to the run that wrote it, if the store knows that."""

    def find(trainer: Any) -> Target | None:
        return None if trainer.ckpt_path is None else Additions.to_writer_of(trainer.ckpt_path, store)

    Evaluation(trainer, find, lambda _: "")


def close_left(trainer: Any) -> None:
    """Something new begins: an evaluation that was left without a word is over."""
    found = _under_way.get(trainer)
    if found is not None:
        found.close()
