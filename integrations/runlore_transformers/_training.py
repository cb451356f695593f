"""One training of a Trainer, from the call of `train` until that returns."""

import weakref
from collections.abc import Mapping
from typing import Any

from transformers import EarlyStoppingCallback

from runlore import FitSession
from runlore_transformers._checkpoints import checkpoint_at, checkpoint_to_resume, roles_and_score
from runlore_transformers._data import record_data
from runlore_transformers._framework import NAME, batch_size_of
from runlore_transformers._metrics import by_split, summary_in
from runlore_transformers._owners import Owner, link_to_writer, owners
from runlore_transformers._params import labels, record_params


class Training:
    """Records a call of `train`, once the Trainer tells that training begins."""

    def __init__(self, trainer: Any, listener: Any, arguments: Mapping[str, Any]) -> None:
        self._trainer = trainer
        self._listener = weakref.ref(listener)  # it may hold the Trainer
        self._session: FitSession | None = None
        self._owner: Owner | None = None  # None, too, in a process that does not record
        self._trial = arguments.get("trial")
        self._resume_from = checkpoint_to_resume(trainer, arguments.get("resume_from_checkpoint"))

    @property
    def listener(self) -> Any:
        """The callback that hears of the training."""
        return self._listener()

    def begin(self, state: Any) -> None:
        """Begin the run; when a batch did not fit into memory this is called again, and the run goes back to a step."""
        if self._session is not None:
            self._begin_again(self._session, state)
            return
        trainer, before = self._trainer, owners().pop(self._trainer)
        if self._trial is not None:  # each trial has a model of its own
            before = None
        self._session = session = FitSession.begin(
            NAME,
            self.listener.options.request(
                tags=labels(trainer),
                resume_from=self._resume_from,
                after=None if before is None else before.session.run,
                leader=bool(state.is_world_process_zero),
                **self._name_of_trial(),
            ),
        )
        if not session:
            return
        self._owner = Owner(session, self.listener, self)
        owners().set(trainer, self._owner)
        owners().set_state(state, self._owner)
        record_params(session, trainer)
        session.record(lambda session: record_data(session, "train", trainer.train_dataset))
        session.record(lambda session: record_data(session, "eval", trainer.eval_dataset))
        if self._resume_from is None:
            session.record(lambda session: link_to_writer(session, "started_from", trainer.model))

    def _name_of_trial(self) -> dict[str, str]:
        number = getattr(self._trial, "number", None)
        return {} if number is None else {"name": f"trial-{number}"}

    def _begin_again(self, session: FitSession, state: Any) -> None:
        if self._owner is not None:
            owners().set_state(state, self._owner)
        size = batch_size_of(self._trainer)
        session.rewind(state.global_step)
        session.record(lambda session: session.run.note(f"begun again with a batch size of {size}"))
        session.params(lambda: {"retried_with_batch_size": size})

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record numbers of some steps, of an evaluation, or, at the end, of the whole training."""
        session = self._session
        if not session:
            return
        summary = summary_in(logs)
        if summary:
            session.summary(summary)
        rest = {name: value for name, value in logs.items() if name not in summary}
        for split, metrics in by_split(rest).items():
            session.metrics(metrics, step=state.global_step, epoch=state.epoch, split=split)

    def saved(self, state: Any) -> None:
        """Record a checkpoint, and those that the Trainer has removed."""
        session = self._session
        if not session:
            return
        session.check_removed()
        folder = checkpoint_at(self._trainer, self._trial, state.global_step)
        roles, monitor, value = roles_and_score(folder, state, self._trainer.args)
        session.checkpoint(folder, step=state.global_step, epoch=state.epoch, monitor=monitor, value=value, roles=roles)

    def end(self, error: BaseException | None) -> None:
        """End the run: the call has returned, or raised `error`."""
        trainer, session, owner = self._trainer, self._session, self._owner
        stopped = None
        if type(error).__name__ == "TrialPruned":  # the search goes on with another trial
            error, stopped = None, "pruned"
        try:
            if session and owner is not None:
                session.record(lambda session: _conclude(session, trainer, owner, error, stopped))
        finally:  # also when Ctrl-C comes meanwhile
            self._trainer = self._trial = None
            if owner is not None:
                owner.training = None
            if session:
                session.end(error)


def _conclude(
    session: FitSession, trainer: Any, owner: Owner, error: BaseException | None, stopped: str | None
) -> None:
    """Note the step of the weights that the Trainer has now, and tag the run with why it stopped early."""
    state = trainer.state
    best = trainer.args.load_best_model_at_end and state.best_model_checkpoint and state.best_global_step
    owner.step = int(best) if best and error is None else int(state.global_step)
    why = stopped or (_why_stopped(trainer) if error is None else None)
    if why is not None:
        session.run.set_tags({"stopped": why})


def _why_stopped(trainer: Any) -> str | None:
    """Return why training stopped before its last step; None where it did not."""
    state = trainer.state
    if not getattr(trainer.control, "should_training_stop", False) or state.global_step >= state.max_steps:
        return None
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, EarlyStoppingCallback) and callback.early_stopping_patience_counter >= (
            patience := callback.early_stopping_patience
        ):
            metric = trainer.args.metric_for_best_model
            return f"step {state.global_step}: {metric} did not improve for {patience} evaluations"
    return f"step {state.global_step}: a callback asked for it, with {state.max_steps - state.global_step} steps to go"
