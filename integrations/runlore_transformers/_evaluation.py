"""What a Trainer evaluates or predicts outside of its training: added to its run, or a run of its own."""

from collections.abc import Mapping
from typing import Any

from runlore import FitSession
from runlore.additions import Additions
from runlore.loaders import kind_of, length
from runlore_transformers import _data, _params
from runlore_transformers._recording import Training, by_split, link_to_origin, record_setup, weights_step
from runlore_transformers.plugin import NAME


class Evaluation:
    """A call of `evaluate` or `predict`."""

    def __init__(self, trainer: Any, listener: Any, dataset: Any) -> None:
        self.trainer = trainer
        self.listener = listener
        self._dataset = dataset
        self._training = Training.of(trainer)
        self._session: FitSession | None = None

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """What was measured."""
        trainer = self.trainer
        if not trainer.is_world_process_zero():
            return
        training = self._training
        if training is None or training.session is None:
            self._write(logs, state)
            return
        additions = Additions(training.session.run)
        for split, metrics in by_split(logs).items():
            other = self._dataset is not None and self._dataset is not trainer.eval_dataset
            suffix = training.sets.suffix(split, _identity(self._dataset) if other else None)
            named = {f"{name}{suffix}": value for name, value in metrics.items()}
            additions.metrics(named, step=weights_step(trainer), epoch=state.epoch, split=split)

    def _write(self, logs: Mapping[str, Any], state: Any) -> None:
        """To a run of its own, as this Trainer has trained nothing."""
        trainer = self.trainer
        if self._session is None:
            tags = {"model": type(_params.inner(trainer.model)).__name__, "purpose": "evaluation"}
            self._session = FitSession.begin(NAME, **self.listener.options.of_run(**tags), leader=True)
            if self._session:
                record_setup(self._session, trainer)
                data = trainer.eval_dataset if self._dataset is None else self._dataset
                self._session.record(lambda session: _data.record(session, "eval", data))
                self._session.record(lambda session: link_to_origin(session, "evaluates", trainer))
        for split, metrics in by_split(logs).items():
            self._session.metrics(metrics, step=state.global_step, split=split)

    def begin(self, state: Any) -> None:
        """No training begins within an evaluation."""

    saved = begin

    def end(self, error: BaseException | None) -> None:
        """It returned, or raised."""
        self.trainer = None
        if self._session is not None:
            self._session.end(error)


def _identity(dataset: Any) -> Any:
    return kind_of(dataset), length(dataset), getattr(dataset, "_fingerprint", None)
