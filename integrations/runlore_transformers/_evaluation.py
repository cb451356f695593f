"""A call of `evaluate` or `predict` outside of a training: added to the run of the weights, or a run of its own."""

from collections.abc import Mapping
from typing import Any, Protocol

from runlore import FitSession, current_run
from runlore.guest.additions import Additions
from runlore.guest.recorder import Recorder
from runlore.guest.session import Beside
from runlore.guest.wrapping import Written
from runlore_transformers._callback import options_of
from runlore_transformers._calls import RecordedCall
from runlore_transformers._data import record_evaluated
from runlore_transformers._framework import NAME
from runlore_transformers._metrics import by_split, without_speeds
from runlore_transformers._owners import Baseline, additions_to_writer, link_to_writer, maker_of, owners
from runlore_transformers._params import carried, labels, record_params

Place = Mapping[str, Any]


class Outer(RecordedCall, Protocol):
    """A call in which others of the same Trainer may be made: a training, or an evaluation."""

    @property
    def target(self) -> Recorder | None:
        """The run that takes the numbers; None where this process writes none."""

    def place(self, state: Any) -> Place:
        """Return step and epoch of the numbers."""

    def is_about(self, dataset: Any, prefix: str) -> bool:
        """Return True if this is the data that the call itself evaluates."""


def beside_fit(trainer: Any) -> Beside | None:
    """Return what records an evaluation within a fit that is no call of its Trainer; None where that isn't recorded."""
    owner, model = owners().of(trainer), trainer.model
    return Beside.fit_under_way(model, type(model).__name__, None if owner is None else owner.session.run.id)


class Evaluation:
    """Records a call of `evaluate` or `predict`; `prefix` begins the names of its metrics.

    `written` is the dataset in the user's call; None where that gives none, or a prefix of its own, which is a name.
    `beside` takes the numbers where the call is made within a fit that is no call of this Trainer.
    """

    def __init__(
        self,
        trainer: Any,
        listener: Any,
        dataset: Any,
        prefix: str | None,
        written: Written | None,
        beside: Beside | None = None,
    ) -> None:
        self.listener = listener
        self._trainer = trainer
        self._dataset = dataset
        self._prefix = str(prefix or "eval")
        self._written = written
        self._ending: str | None = None  # of the names of its metrics, once there are some
        self._leads = bool(trainer.is_world_process_zero())
        self._additions: Additions | Beside | None = beside or self._find()
        self._session = self._open() if self._additions is None else None

    def _find(self) -> Additions | None:
        """Return additions to the run that the weights come from, or that they were evaluated in before."""
        options = options_of(self._trainer)
        owner = owners().of(self._trainer)
        model = self._trainer.model
        found = (None if owner is None else owner.additions_for(model)) or maker_of(model, options.store)
        if found is not None:
            return found
        if current_run() is not None:  # the user's own is for this, too
            return None
        before = owners().baseline_of(self._trainer, options)
        if before is not None:
            return Additions(before.run, 0, 0.0)
        return additions_to_writer(self._trainer.model, options.store)

    def _open(self) -> FitSession:
        """Return the session of a run of its own, as no run is known to have made the weights."""
        trainer, options = self._trainer, options_of(self._trainer)
        owner = owners().of(trainer)
        after = None if owner is None else owner.session.run  # the weights have changed since
        request = options.request(
            tags=labels(trainer), carried=carried(trainer), after=after, leader=self._leads, visits=True
        )
        session = FitSession.begin(NAME, request)
        record_params(session, trainer)
        session.record(lambda session: self._record_data(session, first=True))
        session.record(lambda session: link_to_writer(session, "evaluates", trainer.model))
        return session

    def begin(self, state: Any) -> None:
        """Do nothing: no training begins in an evaluation."""

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record the metrics of the evaluation."""
        target = self.target
        if target is None:
            return
        if self._ending is None and self._additions is not None:
            self._record_data(self._additions)
        _write(target, logs, self._prefix, self._ending, self.place(state))

    @property
    def is_several(self) -> bool:
        """True where the Trainer calls `evaluate` again for each of several sets."""
        return isinstance(self._trainer.eval_dataset if self._dataset is None else self._dataset, Mapping)

    @property
    def target(self) -> Recorder | None:
        """The run that takes the numbers; None where this process writes none."""
        return (self._session or self._additions) if self._leads else None

    def place(self, state: Any) -> Place:
        """Return step and epoch of the numbers; those of additions are known."""
        return {"step": state.global_step, "epoch": state.epoch} if self._session else {}

    def is_about(self, dataset: Any, prefix: str) -> bool:
        """Return True if this is the data that is evaluated."""
        own = self._trainer.eval_dataset if self._dataset is None else self._dataset
        return dataset is own and prefix == self._prefix

    def _record_data(self, target: Recorder, *, first: bool = False) -> None:
        own = self._trainer.eval_dataset
        if first and self._dataset is not None and self._prefix == "eval":
            record_evaluated(target, "eval", own)  # a training to come will have the plain names for it
        data = own if self._dataset is None else self._dataset
        self._ending = record_evaluated(target, self._prefix, data, self._written)

    def steps(self) -> None:
        """Do nothing: an evaluation has no optimizer."""

    def saved(self, state: Any) -> None:
        """Do nothing: an evaluation writes no checkpoint."""

    def end(self, error: BaseException | None) -> None:
        """End the run, if it is one of its own: the call has returned, or raised `error`."""
        trainer, session = self._trainer, self._session
        self._trainer = self._dataset = None
        if session is not None:
            session.end(error)
            if session and session.owned and error is None:
                owners().set_baseline(trainer, Baseline(session, options_of(trainer)))


class InnerEvaluation:
    """A call of `evaluate` or `predict` within a training or another evaluation: by the Trainer, or by a callback.

    Numbers of the data that the outer call is about are told to that; those of other data have names of their own.
    """

    def __init__(self, outer: Outer, trainer: Any, dataset: Any, prefix: str | None, written: Written | None) -> None:
        self._outer = outer
        self._dataset = trainer.eval_dataset if dataset is None else dataset
        self._prefix = str(prefix or "eval")
        self._written = written
        self._ending: str | None = None
        self._is_other = not outer.is_about(self._dataset, self._prefix)
        self.listener = outer.listener
        self.is_several = isinstance(self._dataset, Mapping)

    @property
    def target(self) -> Recorder | None:
        """The run that takes the numbers; None where this process writes none."""
        return self._outer.target

    def place(self, state: Any) -> Place:
        """Return step and epoch of the numbers."""
        return self._outer.place(state)

    def is_about(self, dataset: Any, prefix: str) -> bool:
        """Return True if this is the data that is evaluated."""
        return dataset is self._dataset and prefix == self._prefix

    def begin(self, state: Any) -> None:
        """Do nothing: no training begins in an evaluation."""

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record the metrics of the evaluation."""
        if not self._is_other:
            self._outer.take(logs, state)
            return
        target = self.target
        if target:
            if self._ending is None:
                self._ending = record_evaluated(target, self._prefix, self._dataset, self._written)
            _write(target, logs, self._prefix, self._ending, self.place(state))

    def steps(self) -> None:
        """Do nothing: an evaluation has no optimizer."""

    def saved(self, state: Any) -> None:
        """Let the training record a checkpoint that a callback has asked for."""
        self._outer.saved(state)

    def end(self, error: BaseException | None) -> None:
        """Let go of the data."""
        self._dataset = None


def _write(target: Recorder, logs: Mapping[str, Any], prefix: str, ending: str | None, place: Place) -> None:
    for split, metrics in by_split(logs, prefix).items():
        found: Mapping[str, Any] = {f"{name}{ending or ''}": value for name, value in metrics.items()}
        if isinstance(target, Additions):
            scores = without_speeds(found)
            told = target.beside_recorded(scores, split)
            found = found if told == scores else told  # of what is known already, its speed matters no more
        target.metrics(found, split=split, **place)
