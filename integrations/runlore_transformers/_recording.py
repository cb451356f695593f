"""One training of a Trainer, from its call until that returns."""

import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint

from runlore import FitSession, guest
from runlore.guest.additions import Additions, Sets
from runlore.guest.wrapping import ByIdentity, token_of
from runlore_transformers import _data, _params
from runlore_transformers.plugin import NAME

WHOLE = {"train_runtime", "train_loss", "total_flos"}  # stand together among the numbers of a whole training only
SPLITS = ("eval", "test", "val", "valid", "validation", "dev")  # that stand before a metric's name

_last: "ByIdentity[Training]" = ByIdentity()  # by trainer
_states: "ByIdentity[Training]" = ByIdentity()  # by the state that its callbacks are told, for what they hear later


class Training:
    """A call of `train`; afterwards only its run and step, for what is evaluated and saved then."""

    def __init__(self, trainer: Any, listener: Any, arguments: Mapping[str, Any]) -> None:
        self.trainer = trainer
        self._listener = weakref.ref(listener)  # which may hold the trainer
        self.session: FitSession | None = None
        self.step: int | None = None  # that the weights are of which the training came to
        self._sets = Sets()  # that were evaluated behind it
        self._trial = arguments.get("trial")
        self._resume_from = _checkpoint_to_resume(trainer, arguments.get("resume_from_checkpoint"))

    @property
    def listener(self) -> Any:
        """The callback that this listens to."""
        return self._listener()

    @staticmethod
    def of(trainer: Any) -> "Training | None":
        """The last recorded training of a trainer."""
        return _last.get(trainer)

    @staticmethod
    def forget(trainer: Any) -> None:
        """It is trained without being recorded: its weights are no run's."""
        training = _last.pop(trainer)
        if training is not None:
            training.session = None

    @staticmethod
    def with_state(state: Any) -> "Training | None":
        """The recorded training that has had this state."""
        return _states.get(state)

    def begin(self, state: Any) -> None:
        """Training begins; a second time in one call, when a batch did not fit into memory."""
        if self.session is not None:
            self._begin_again(state)
            return
        trainer = self.trainer
        before = _last.pop(trainer)  # what its weights come to now is no longer that run's
        if self._trial is not None:
            before = None
        self.session = session = FitSession.begin(
            NAME,
            self.listener.options.request(
                tags=_params.labels(trainer),
                resume_from=self._resume_from,
                after=None if before is None or before.session is None else before.session.run,
                leader=bool(state.is_world_process_zero),
                **self._name_of_trial(),
            ),
        )
        if not session:
            return
        _last.set(trainer, self)
        _states.set(state, self)
        record_setup(session, trainer)
        session.record(lambda session: _data.record(session, "train", trainer.train_dataset))
        session.record(lambda session: _data.record(session, "eval", trainer.eval_dataset))
        if self._resume_from is None:
            session.record(lambda session: link_to_origin(session, "started_from", trainer))

    def _name_of_trial(self) -> dict[str, str]:
        """A trial of a search has a name of its own."""
        number = getattr(self._trial, "number", None)
        return {} if number is None else {"name": f"trial-{number}"}

    def _begin_again(self, state: Any) -> None:
        assert self.session is not None
        _states.set(state, self)
        self.session.rewind(state.global_step)
        size = getattr(self.trainer, "_train_batch_size", None)
        self.session.record(lambda session: session.run.note(f"begun again with a batch size of {size}"))
        self.session.params(lambda: {"retried_with_batch_size": size})

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Numbers that the Trainer logs: of some steps, of an evaluation, or at the end of the whole training."""
        if not self.session:
            return
        if self.trainer is None:
            self.add(by_split(logs), state, None, None)
            return
        summary = {}
        if logs.keys() >= WHOLE:
            summary = {name: value for name, value in logs.items() if name in WHOLE or str(name).startswith("train_")}
            self.session.summary(summary)
        rest = {name: value for name, value in logs.items() if name not in summary}
        for split, metrics in by_split(rest).items():
            self.session.metrics(metrics, step=state.global_step, epoch=state.epoch, split=split)

    def add(self, found: Mapping[str, Mapping[str, Any]], state: Any, usual: Any, dataset: Any) -> None:
        """What was measured behind the training; another set of data than the `usual` one has names of its own."""
        assert self.session is not None
        additions = Additions(self.session.run)
        for split, metrics in found.items():
            if split == "eval" and usual is not None:
                self._sets.suffix(split, "usual")  # has the plain names, as in the training
            if isinstance(dataset, str):  # one of several, by its name
                suffix = f"/{dataset}"
            else:
                mine = "usual" if dataset is None or dataset is usual else _identity(dataset)
                suffix = self._sets.suffix(split, mine)
            named = {f"{name}{suffix}": value for name, value in metrics.items()}
            additions.metrics(named, step=self.step, epoch=state.epoch, split=split)
            if dataset is not None and not isinstance(dataset, str):
                _data.record(additions, f"{split}{suffix}", dataset)

    def saved(self, state: Any) -> None:
        """A checkpoint was written."""
        if not self.session:
            return
        self.session.check_removed()
        folder = os.path.join(self._folder(), f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}")
        roles, monitor, value = _meaning(folder, state, self.trainer.args)
        self.session.checkpoint(
            folder, step=state.global_step, epoch=state.epoch, monitor=monitor, value=value, roles=roles
        )

    def _folder(self) -> str:
        """Where checkpoints go: in a search, a folder for each trial."""
        own = getattr(self.trainer, "_get_output_dir", None)
        return str(self.trainer.args.output_dir if own is None else own(self._trial))

    def end(self, error: BaseException | None) -> None:
        """It returned, or raised."""
        trainer, session = self.trainer, self.session
        if type(error).__name__ == "TrialPruned":  # by the search, which goes on with another
            error, stopped = None, "pruned"
        else:
            stopped = None
        try:
            if session:
                session.record(lambda session: self._conclude(session, trainer, error, stopped))
        finally:  # also when Ctrl-C comes meanwhile
            self.trainer = self._trial = None
            if session:
                session.end(error)

    def _conclude(self, session: FitSession, trainer: Any, error: BaseException | None, stopped: str | None) -> None:
        state = trainer.state
        best = trainer.args.load_best_model_at_end and state.best_model_checkpoint and state.best_global_step
        self.step = int(best) if best and error is None else int(state.global_step)
        why = stopped or (_why_stopped(trainer) if error is None else None)
        if why is not None:
            session.run.set_tags({"stopped": why})


def by_split(logs: Mapping[str, Any], prefix: str | None = None) -> dict[str, dict[str, Any]]:
    """The numbers by split, which stands before their names; `prefix` is one more. The epoch is an axis."""
    found: dict[str, dict[str, Any]] = {}
    splits = SPLITS if prefix is None else (prefix, *SPLITS)
    for key, value in logs.items():
        name = str(key)
        if name not in ("epoch", "step"):
            split = next((split for split in splits if name.startswith(f"{split}_")), "train")
            found.setdefault(split, {})[name] = value
    return found


def record_setup(session: FitSession, trainer: Any) -> None:
    """How everything was set; what can't be asked costs only itself."""
    for part in _params.PARTS:
        session.params(lambda part=part: part(trainer))  # type: ignore[misc]


def link_to_origin(session: FitSession, kind: str, trainer: Any) -> None:
    """Link to the run that wrote the folder that the model was loaded from, or its weights, if the store knows them."""
    path = getattr(getattr(_params.inner(trainer.model), "config", None), "_name_or_path", None)
    if not path or not Path(path).is_dir():
        return
    folder = Path(path).absolute()
    for place in (folder, *sorted(folder.glob("*.safetensors"))[:1]):
        found = guest.writer_of(session.store, place)
        if found is not None:
            session.link(kind, *found)
            return


def _identity(dataset: Any) -> Any:
    """What tells one set of data from another: the fingerprint of its library, or that it is itself."""
    return getattr(dataset, "_fingerprint", None) or token_of(dataset)


def _checkpoint_to_resume(trainer: Any, asked: Any) -> str | None:
    """The folder that training goes on from; `True` means the last one in the output folder."""
    if asked is True:
        folder = trainer.args.output_dir
        found = get_last_checkpoint(folder) if Path(folder).is_dir() else None
        return None if found is None else str(found)
    return os.fspath(asked) if isinstance(asked, str | os.PathLike) else None


def _meaning(folder: str, state: Any, args: Any) -> tuple[tuple[str, ...], str | None, Any]:
    """Roles, the monitored metric and its value."""
    name = args.metric_for_best_model
    if name is None:
        return ("last",), None, None
    name = name if name.startswith("eval_") else f"eval_{name}"
    here = (item for item in reversed(state.log_history) if item.get("step") == state.global_step)
    value = next((item[name] for item in here if name in item), None)
    best = state.best_model_checkpoint is not None and Path(state.best_model_checkpoint) == Path(folder)
    return ("last", "best") if best else ("last",), name, value


def _why_stopped(trainer: Any) -> str | None:
    """Why training stopped before its last step, if it did."""
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
