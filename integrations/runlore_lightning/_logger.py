"""The same record for people who prefer Lightning's Logger interface."""

import os
import sys
import weakref
from collections.abc import Mapping
from typing import Any

from runlore import Store, guest
from runlore.guest.launch import Launch
from runlore_lightning._namespaces import complete, plain, revive, signature_of
from runlore_lightning._recording import Options, Recording, begin_evaluation, forget_left


class RunloreLogger:
    """Records what RunloreCallback does, and what is logged by hand: `Trainer(logger=RunloreLogger())`.

    `experiment` is the run that is being written. Together with the callback, or with autolog, a fit is still one run.
    Checkpoints without a folder of their own go below `runlore/<version>`; the version is also the run's name.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "RunloreLogger":
        """An instance that either namespace takes for a Logger of its own."""
        made: RunloreLogger = object.__new__(complete(cls, "loggers.logger", "Logger"))
        return made

    def __init__(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        dry_runs: bool = False,
    ) -> None:
        self._options = Options.checked(name or guest.run_name(), experiment, tags, store, dry_runs=dry_runs)
        self._trainer: Any = None  # a weak reference
        self._launch = Launch.prepare(self._options.store)
        self._begun: Recording | None = None

    @property
    def name(self) -> str:
        """The first folder of checkpoints that have none of their own."""
        return "runlore"

    @property
    def version(self) -> str:
        """The second one, and the name of the run."""
        return str(self._options.name)

    @property
    def save_dir(self) -> None:
        """Below the trainer's `default_root_dir`."""
        return

    @property
    def root_dir(self) -> None:
        """Likewise."""
        return

    @property
    def log_dir(self) -> None:
        """The store is none of the trainer's folders."""
        return

    @property
    def group_separator(self) -> str:
        """What stands between a prefix and a name."""
        return "/"

    @property
    def experiment(self) -> Any:
        """The run that is being written; None outside of a fit."""
        recording = self._open_recording()
        return None if recording is None else recording.session.run

    @guest.harmless
    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """A fit, a validation or a test begins: Lightning hands over the module, and with it the trainer."""
        trainer = getattr(model, "trainer", None)
        if trainer is None:
            return
        self._trainer = weakref.ref(trainer)
        recording = Recording.of(trainer)
        if recording is not None and recording.is_of_this_fit(trainer):
            return  # somebody wants the graph, or the callback has begun it
        if recording is None or recording is self._begun:
            forget_left(trainer)  # else the callback has seen to it
        if trainer.state.fn == "fit":
            Recording.begin(trainer, self._options, self._launch.handed_over())
            self._begun = Recording.of(trainer)
        else:
            begin_evaluation(trainer, self._options)

    @guest.harmless
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Record parameters; those of the modules are recorded anyway."""
        recording = self._open_recording()
        if recording is not None:
            recording.session.params(lambda: dict(params if isinstance(params, Mapping) else vars(params)))

    @guest.harmless
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record what is logged by hand; what the trainer gives to its loggers is recorded where it does."""
        recording = self._open_recording()
        if recording is not None and not recording.inside:
            recording.session.metrics(metrics, step=step)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Recorded already."""

    def save(self) -> None:
        """Everything is on the disk already."""

    def finalize(self, status: str) -> None:
        """The trainer's teardown ends the run; of processes that it had started, only it may know the end."""
        error = sys.exception()
        if status == "failed" and error is not None and self._open_recording() is None:
            self._launch.failed(error)

    def _open_recording(self) -> Recording | None:
        """The fit that is being recorded, by us or by the callback."""
        trainer = self._trainer() if self._trainer is not None else None
        recording = None if trainer is None else Recording.of(trainer)
        return None if recording is None or recording.closed else recording

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        self._launch = self._launch.renewed()
        return revive, (plain(type(self)),), {**vars(self), "_trainer": None, "_begun": None}


RunloreLogger.__signature__ = signature_of(RunloreLogger)  # type: ignore[attr-defined]  # else that of __new__ would be shown
