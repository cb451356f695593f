"""A call of `evaluate` or `predict` outside of a training: added to the run of the weights, or a run of its own."""

from collections.abc import Mapping
from typing import Any

from runlore import FitSession
from runlore_transformers._data import record_data
from runlore_transformers._framework import NAME
from runlore_transformers._metrics import by_split
from runlore_transformers._owners import link_to_writer, owners
from runlore_transformers._params import labels, record_params


class Evaluation:
    """Records a call of `evaluate` or `predict`; `prefix` begins the names of its metrics."""

    def __init__(self, trainer: Any, listener: Any, dataset: Any, prefix: str | None) -> None:
        self.listener = listener
        self._trainer = trainer
        self._dataset = dataset
        self._prefix = str(prefix or "eval")
        self._leads = bool(trainer.is_world_process_zero())
        self._owner = owners().of(trainer)
        self._session = self._open() if self._owner is None else None

    def _open(self) -> FitSession:
        """Return the session of a run of its own, as this Trainer has trained nothing that is recorded."""
        trainer = self._trainer
        request = self.listener.options.request(tags=labels(trainer), leader=self._leads, visits=True)
        session = FitSession.begin(NAME, request)
        if session.owned:  # the user's own run may be for more than this
            session.record(lambda session: session.run.set_tags({"purpose": "evaluation"}))
        record_params(session, trainer)
        data = trainer.eval_dataset if self._dataset is None else self._dataset
        session.record(lambda session: record_data(session, self._prefix, data))
        session.record(lambda session: link_to_writer(session, "evaluates", trainer.model))
        return session

    def begin(self, state: Any) -> None:
        """Do nothing: no training begins in an evaluation."""

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record the metrics of the evaluation."""
        found = by_split(logs, self._prefix)
        if self._session is not None:
            for split, metrics in found.items():
                self._session.metrics(metrics, step=state.global_step, split=split)
        elif self._owner is not None and self._leads:
            self._owner.add(found, state, usual=self._trainer.eval_dataset, dataset=self._dataset)

    def saved(self, state: Any) -> None:
        """Do nothing: an evaluation writes no checkpoint."""

    def end(self, error: BaseException | None) -> None:
        """End the run, if it is one of its own: the call has returned, or raised `error`."""
        self._trainer = self._dataset = None
        if self._session is not None:
            self._session.end(error)
