"""One training of a Trainer, from its call until that returns."""

import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint

from runlore import FitSession, guest
from runlore.additions import Additions, Sets
from runlore_transformers import _data, _params
from runlore_transformers.plugin import NAME

KEPT_FILE = 100 << 20  # bytes of a file of a model saved behind its training that are kept
SUMMARY = "train_runtime"  # stands among the numbers of a whole training, and nowhere else
SPLITS = ("eval", "test")  # that stand before a metric's name

_last: "weakref.WeakKeyDictionary[Any, Training]" = weakref.WeakKeyDictionary()  # by trainer


class Training:
    """A call of `train`; afterwards only its run and step, for what is evaluated and saved then."""

    def __init__(self, trainer: Any, listener: Any, arguments: Mapping[str, Any]) -> None:
        self.trainer = trainer
        self.listener = listener
        self.session: FitSession | None = None
        self.sets = Sets()
        self.step: int | None = None
        self._trial = arguments.get("trial")
        self._resume_from = _checkpoint_to_resume(trainer, arguments.get("resume_from_checkpoint"))

    @staticmethod
    def of(trainer: Any) -> "Training | None":
        """The last recorded training of a trainer."""
        return _last.get(trainer)

    def begin(self, state: Any) -> None:
        """Training begins; a second time in one call, when a batch did not fit into memory."""
        if self.session is not None:
            self._begin_again(state)
            return
        trainer = self.trainer
        before = _last.get(trainer) if self._trial is None else None
        self.session = session = FitSession.begin(
            NAME,
            **self.listener.options.of_run(model=type(_params.inner(trainer.model)).__name__),
            resume_from=self._resume_from,
            after=None if before is None or before.session is None else before.session.run,
            leader=bool(state.is_world_process_zero),
        )
        if not session:
            return
        _last[trainer] = self
        record_setup(session, trainer)
        if state.trial_params:
            session.params({"trial": state.trial_params})
        session.record(lambda session: _data.record(session, "train", trainer.train_dataset))
        session.record(lambda session: _data.record(session, "eval", trainer.eval_dataset))
        if self._resume_from is None:
            session.record(lambda session: link_to_origin(session, "started_from", trainer))

    def _begin_again(self, state: Any) -> None:
        assert self.session is not None
        self.session.rewind(state.global_step)
        size = getattr(self.trainer, "_train_batch_size", None)
        self.session.record(lambda session: session.run.note(f"begun again with a batch size of {size}"))
        self.session.params(lambda: {"retried_with_batch_size": size})

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Numbers that the Trainer logs: of some steps, of an evaluation, or at the end of the whole training."""
        if not self.session:
            return
        if SUMMARY in logs:
            self.session.summary({name: value for name, value in logs.items() if name != "epoch"})
        else:
            for split, metrics in by_split(logs).items():
                self.session.metrics(metrics, step=state.global_step, epoch=state.epoch, split=split)

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
        self.trainer = None
        if not session:
            return
        self.step = weights_step(trainer)
        why = _why_stopped(trainer)
        if type(error).__name__ == "TrialPruned":  # by the search, which goes on with another
            error, why = None, "pruned"
        if why is not None and error is None:
            session.record(lambda session: session.run.set_tags({"stopped": why}))
        session.end(error)


def by_split(logs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The numbers by split, which stands before their names; the epoch is an axis."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in logs.items():
        if name not in ("epoch", "step"):
            split = next((split for split in SPLITS if name.startswith(f"{split}_")), "train")
            found.setdefault(split, {})[name] = value
    return found


def record_setup(session: FitSession, trainer: Any) -> None:
    """How everything was set; what can't be asked costs only itself."""
    for part in _params.PARTS:
        session.params(lambda part=part: part(trainer))  # type: ignore[misc]


def link_to_origin(session: FitSession, kind: str, trainer: Any) -> None:
    """Link to the run that wrote the folder that the model was loaded from, if the store knows it."""
    path = getattr(getattr(_params.inner(trainer.model), "config", None), "_name_or_path", None)
    if path and Path(path).is_dir():
        found = Additions.to_writer_of(path)
        if found is not None:
            session.link(kind, found[0].run.id, found[1])


def weights_step(trainer: Any) -> int:
    """The step that a trained Trainer's weights are of: the best one's, where it was loaded at the end."""
    state = trainer.state
    best = getattr(state, "best_global_step", None)
    return int(best if trainer.args.load_best_model_at_end and best else state.global_step)


@guest.harmless
def record_saved(trainer: Any, folder: Any) -> None:
    """A model was saved behind its training: the files of it that lie in the folder itself."""
    training = _last.get(trainer)
    if training is None or not training.session or not trainer.args.should_save:
        return
    additions = Additions(training.session.run)
    for path in sorted(Path(folder or trainer.args.output_dir).iterdir()):
        if path.is_file():
            additions.file(path, kind="model", most=KEPT_FILE)
    additions.close()


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
        patience = getattr(callback, "early_stopping_patience", None)
        if patience is not None and callback.early_stopping_patience_counter >= patience:
            metric = trainer.args.metric_for_best_model
            return f"step {state.global_step}: {metric} did not improve for {patience} evaluations"
    return f"step {state.global_step}: a callback asked for it, with {state.max_steps - state.global_step} steps to go"
