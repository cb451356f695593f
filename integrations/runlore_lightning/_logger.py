"""The same record for people who prefer Lightning's Logger interface."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore_lightning._by_hand import ByHand
from runlore_lightning._callback import Attachment, RunloreCallback
from runlore_lightning._media import MediaMethods


class RunloreLogger(MediaMethods, Attachment):
    """Records what RunloreCallback does, and what is logged by hand: `Trainer(logger=RunloreLogger())`.

    What is logged before a fit becomes a part of it, what is logged behind it is added to it. Without a Trainer, as in
    Fabric, the run begins with the first call. `experiment` is the run that is being written. Together with the
    callback, or with autolog, a fit is still one run. Checkpoints without a folder of their own go below `save_dir`.
    """

    base = "loggers.logger", "Logger"
    stands_in = True
    _by_hand: ByHand | None = None

    @property
    def name(self) -> str:
        """Empty, as `version`: `save_dir` is the run's own."""
        return ""

    @property
    def version(self) -> str:
        """Empty: the run has a name, `options.name`."""
        return ""

    @property
    def save_dir(self) -> str | None:
        """The folder of the run below the trainer's `default_root_dir`; None while no trainer is known."""
        trainer = self._hand().trainer
        return None if trainer is None else str(Path(trainer.default_root_dir, "runlore", str(self.options.name)))

    @property
    def root_dir(self) -> str | None:
        """The same as `save_dir`."""
        return self.save_dir

    log_dir = root_dir  # the record itself is in the store

    @property
    def group_separator(self) -> str:
        """The sign between a prefix and a name."""
        return "/"

    @property
    def experiment(self) -> Any:
        """The run that is being written; before a fit it begins now, behind one it is that of the fit."""
        return self._experiment()

    @guest.harmless
    def _experiment(self) -> Any:
        target = self._hand().target()
        return target.opened() if isinstance(target, Additions) else target and target.run

    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Do nothing: a graph is not recorded."""

    @guest.harmless
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Record parameters; those of the modules are recorded anyway."""
        self._hand().params(dict(params if isinstance(params, Mapping) else vars(params)) | kwargs)

    @guest.harmless
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record metrics that are logged by hand; those that the trainer gives to its loggers are recorded anyway."""
        self._hand().metrics(metrics, step)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Do nothing: the checkpoint is recorded already."""

    def save(self) -> None:
        """Do nothing: everything is on the disk already."""

    @guest.harmless
    def finalize(self, status: str) -> None:
        """End a run that no Trainer writes; a Trainer's own fit ends with the Trainer's teardown."""
        self._hand().end(sys.exception() if status == "failed" else None)

    # What `Attachment` asks for

    @property
    def early(self) -> FitSession | None:  # type: ignore[override]
        """The session of something that was written before a fit."""
        return self._hand().early

    def attach(self, trainer: Any) -> None:
        """Note the Trainer that it was given to."""
        self._hand().attach(trainer)

    def as_callback(self) -> RunloreCallback:
        """Return a callback that records with the same options."""
        made = RunloreCallback()
        made.options, made.launch = self.options, self.launch
        return made

    def hand_over(self, session: FitSession) -> None:
        """Write what has waited for a fit."""
        self._hand().hand_over(session)

    @guest.harmless
    def _begin(self) -> None:
        """Notice optimizers from now on: a loop without a Trainer steps them before it logs anything."""
        self._hand().watch()

    def _name_runs(self, name: str | None) -> str | None:
        """Return a name in any case: the folder of checkpoints has it before the run begins."""
        return name or guest.run_name()

    def _hand(self) -> ByHand:
        if self._by_hand is None:
            self._by_hand = ByHand(self.options)
        return self._by_hand
