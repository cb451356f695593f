"""One training of a Trainer, from the call of `train` until that returns."""

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback

from runlore import FitSession, guest
from runlore.guest.additions import Place, tensors_of
from runlore.guest.captured import Captured
from runlore.guest.wrapping import token_of
from runlore_transformers._callback import options_of
from runlore_transformers._calls import Early
from runlore_transformers._checkpoints import checkpoint_at, checkpoint_to_resume, roles_and_score
from runlore_transformers._data import record_data, record_evaluated
from runlore_transformers._framework import NAME, batch_size_of, unwrapped
from runlore_transformers._media import Completions
from runlore_transformers._metrics import by_split, summary_in
from runlore_transformers._owners import Owner, link_to_writer, maker_of, owners
from runlore_transformers._params import carried, groups_of, labels, record_params


class Training:
    """Records a call of `train`, once the Trainer tells that training begins."""

    def __init__(self, trainer: Any, listener: Any, arguments: Mapping[str, Any]) -> None:
        self._trainer = trainer
        self._arguments = arguments
        self._listener = weakref.ref(listener)  # it may hold the Trainer
        self._session: FitSession | None = None
        self._completions: Completions | None = None
        self._owner: Owner | None = None  # None, too, in a process that does not record
        self._trial = arguments.get("trial")
        self._rates: dict[str, Any] = {}  # of the groups of parameters, in the last step
        self._ending = ""  # of the names of the evaluations' metrics
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
        session = self._open()
        if session:
            self._owner = Owner(session, self.listener, self)
            owners().set(self._trainer, self._owner)
            owners().set_state(state, self._owner)
            self._completions = Completions(self._trainer.callback_handler.callbacks)
            for logs in guest.part(Early).pop(self._trainer.callback_handler):
                self.take(logs, state)

    def _open(self) -> FitSession:
        trainer, options = self._trainer, options_of(self._trainer)
        baseline, before = owners().baseline_of(trainer, options), owners().pop(trainer)
        maker = maker_of(trainer.model, options.store)
        if self._trial is not None:  # each trial has a model of its own
            baseline = before = maker = None
        self._session = session = FitSession.begin(
            NAME,
            options.request(
                tags=labels(trainer),
                resume_from=self._resume_from,
                after=None if before is None else before.session.run,
                copy_of=maker,
                continues=None if baseline is None else baseline.run,
                leader=bool(trainer.is_world_process_zero()),
                carried=carried(trainer),
                **self._name_of_trial(),
            ),
        )
        if not session:
            return session
        session.trains = token_of(trainer.model)
        session.place = lambda: (trainer.state.global_step, trainer.state.epoch)
        record_params(session, trainer)
        session.record(lambda session: record_data(session, "train", trainer.train_dataset))
        session.record(lambda session: self._record_eval(session, trainer.eval_dataset))
        if self._resume_from is None and maker is None:
            session.record(lambda session: link_to_writer(session, "started_from", trainer.model))
        return session

    def _record_eval(self, session: FitSession, dataset: Any) -> None:
        """Record the data of the evaluations; in a run that was evaluated on other data before it has another name."""
        self._ending = record_evaluated(session, "eval", dataset, fits=True)

    def _name_of_trial(self) -> dict[str, Any]:
        number = getattr(self._trial, "number", None)
        return {} if number is None else {"name": f"trial-{number}"}

    def _begin_again(self, session: FitSession, state: Any) -> None:
        if self._owner is not None:
            owners().set_state(state, self._owner)
        size = batch_size_of(self._trainer)
        session.rewind(state.global_step)
        session.record(lambda session: session.run.note(f"begun again with a batch size of {size}"))
        session.params({"retried_with_batch_size": Captured(size)})

    @property
    def target(self) -> FitSession | None:
        """The run of the training, once it has begun."""
        return self._session

    def place(self, state: Any) -> Mapping[str, Any]:
        """Return step and epoch of what is recorded now."""
        return {"step": state.global_step, "epoch": state.epoch}

    def is_about(self, dataset: Any, prefix: str) -> bool:
        """Return True if this is the data that the training evaluates itself."""
        return dataset is self._trainer.eval_dataset and prefix == "eval"

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record numbers of some steps, of an evaluation, or, at the end, of the whole training."""
        session = self._session
        if not session:
            return
        if self._completions is not None:
            session.record(self._completions.record)
        summary = summary_in(logs)
        if summary:
            session.summary(summary)
        rest = {name: value for name, value in logs.items() if name not in summary}
        if "learning_rate" in rest and len(set(self._rates.values())) > 1:
            rest |= {f"learning_rate/{name}": rate for name, rate in self._rates.items()}
        for split, metrics in by_split(rest).items():
            if split == "eval":
                self._note_weights(state)
            if split == "eval" and self._ending:
                metrics = {f"{name}{self._ending}": value for name, value in metrics.items()}
            session.metrics(metrics, split=split, **self.place(state))

    def steps(self) -> None:
        """Note the rates of an optimizer's groups, with which it is about to step."""
        groups = groups_of(self._trainer.optimizer)
        self._rates = {name: group["lr"] for name, group in groups.items() if "lr" in group}

    def saved(self, state: Any) -> None:
        """Record a checkpoint, and those that the Trainer has removed."""
        session = self._session
        if not session:
            return
        session.check_removed()
        folder = checkpoint_at(self._trainer, self._trial, state.global_step)
        roles, monitor, value = roles_and_score(folder, state, self._trainer.args)
        session.checkpoint(folder, step=state.global_step, epoch=state.epoch, monitor=monitor, value=value, roles=roles)
        self._note_weights(state)

    def _note_weights(self, state: Any) -> None:
        """Note the weights of a moment, which a checkpoint has, or somebody may keep."""
        if self._owner is not None:
            self._owner.weights.note(int(state.global_step), state.epoch, tensors_of(unwrapped(self._trainer.model)))

    def end(self, error: BaseException | None) -> None:
        """End the run: the call has returned, or raised `error`."""
        if error is not None and self._session is None and self._arguments:  # before it began, in a call that fits
            before = owners().of(self._trainer)
            self._open()
            if before is not None:  # the weights are as they were
                owners().set(self._trainer, before)
        trainer, session, owner = self._trainer, self._session, self._owner
        try:
            if session and self._completions is not None:
                session.record(self._completions.record)
            if session and owner is not None:
                session.record(lambda session: _conclude(session, trainer, owner, error))
        finally:  # also when Ctrl-C comes meanwhile
            self._trainer = self._trial = self._completions = None
            self._arguments = {}
            if owner is not None:
                owner.training = None
            if session:
                session.end(error)


def _conclude(session: FitSession, trainer: Any, owner: Owner, error: BaseException | None) -> None:
    """Note the step of the weights that the Trainer has now, and tag the run with why it stopped early."""
    state = trainer.state
    place: Place = int(state.global_step), state.epoch
    folder, best = state.best_model_checkpoint, state.best_global_step
    if error is None and trainer.args.load_best_model_at_end and folder and best and Path(folder).is_dir():
        place = int(best), _epoch_at(state, int(best))
    tensors = tensors_of(unwrapped(trainer.model))
    place = owner.weights.known(tensors) or place
    owner.weights.note(*place, tensors)
    why = _why_stopped(trainer) if error is None else None
    if why is not None:
        session.stopped(why, step=state.global_step, epoch=state.epoch)


def _epoch_at(state: Any, step: int) -> float | None:
    """Return the epoch of a step, which the log tells, as the Trainer has evaluated there."""
    return next((item["epoch"] for item in state.log_history if item.get("step") == step and "epoch" in item), None)


def _why_stopped(trainer: Any) -> str | None:
    """Return why training stopped before its last step; None where it did not."""
    state = trainer.state
    if not getattr(trainer.control, "should_training_stop", False) or state.global_step >= state.max_steps:
        return None
    metric = trainer.args.metric_for_best_model
    for callback in trainer.callback_handler.callbacks if _was_judged(state, metric) else ():
        if isinstance(callback, EarlyStoppingCallback) and callback.early_stopping_patience_counter >= (
            patience := callback.early_stopping_patience
        ):
            return f"{metric} did not improve for {patience} evaluations"
    return f"a callback asked for it, with {state.max_steps - state.global_step} steps to go"


def _was_judged(state: Any, metric: str | None) -> bool:
    """Return True if the metric was evaluated at the last step: what callbacks have counted before may be old."""
    name = f"eval_{str(metric).removeprefix('eval_')}"
    return any(name in item and item.get("step") == state.global_step for item in state.log_history)
