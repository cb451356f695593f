"""What a Trainer evaluates or predicts outside of its training: added to its run, or a run of its own."""

from collections.abc import Mapping
from typing import Any

from runlore import FitSession
from runlore_transformers import _data, _params
from runlore_transformers._recording import Training, by_split, link_to_origin, record_setup
from runlore_transformers.plugin import NAME


class Evaluation:
    """A call of `evaluate` or `predict`; `prefix` stands before the names of what it measures."""

    def __init__(self, trainer: Any, listener: Any, dataset: Any, prefix: str | None) -> None:
        self.trainer = trainer
        self.listener = listener
        self._dataset = dataset
        self._prefix = str(prefix or "eval")
        self._leads = bool(trainer.is_world_process_zero())
        self._training = Training.of(trainer)
        self._session = self._begin() if self._training is None else None

    def _begin(self) -> FitSession:
        """A run of its own, as this Trainer has trained nothing."""
        trainer = self.trainer
        session = FitSession.begin(
            NAME, self.listener.options.request(tags=_params.labels(trainer), leader=self._leads, visits=True)
        )
        if session.owned:  # the user's own run may be for more than this
            session.record(lambda session: session.run.set_tags({"purpose": "evaluation"}))
        record_setup(session, trainer)
        data = trainer.eval_dataset if self._dataset is None else self._dataset
        session.record(lambda session: _data.record(session, self._prefix, data))
        session.record(lambda session: link_to_origin(session, "evaluates", trainer))
        return session

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """What was measured."""
        if self._session is not None:
            for split, metrics in by_split(logs, self._prefix).items():
                self._session.metrics(metrics, step=state.global_step, split=split)
        elif self._training is not None and self._leads:
            self._training.add(by_split(logs, self._prefix), state, self.trainer.eval_dataset, self._dataset)

    def begin(self, state: Any) -> None:
        """No training begins within an evaluation."""

    saved = begin

    def end(self, error: BaseException | None) -> None:
        """It returned, or raised."""
        self.trainer = self._dataset = None
        if self._session is not None:
            self._session.end(error)
