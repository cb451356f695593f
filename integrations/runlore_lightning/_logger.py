"""The same record for people who prefer Lightning's Logger interface."""

import sys
import weakref
from collections.abc import Mapping
from typing import Any

from runlore import guest
from runlore_lightning._callback import Attachment
from runlore_lightning._wrapping import TappedFit, end_left, fit_under_way, record_evaluation, record_fit


class RunloreLogger(Attachment):
    """Records what RunloreCallback does, and what is logged by hand: `Trainer(logger=RunloreLogger())`.

    `experiment` is the run that is being written. Together with the callback, or with autolog, a fit is still one run.
    Checkpoints without a folder of their own go below `runlore/<version>`; the version is also the run's name.
    """

    base = "loggers.logger", "Logger"
    _trainer: Any = None  # a weak reference

    @property
    def name(self) -> str:
        """The first folder of checkpoints that have none of their own."""
        return "runlore"

    @property
    def version(self) -> str:
        """The second folder, and the name of the run."""
        return str(self.options.name)

    @property
    def save_dir(self) -> None:
        """None: checkpoints go below the trainer's `default_root_dir`."""
        return

    @property
    def root_dir(self) -> None:
        """None, as `save_dir`."""
        return

    @property
    def log_dir(self) -> None:
        """None: the store is no folder of the trainer's."""
        return

    @property
    def group_separator(self) -> str:
        """The sign between a prefix and a name."""
        return "/"

    @property
    def experiment(self) -> Any:
        """The run that is being written; None outside of a fit."""
        fit = self._fit()
        return None if fit is None else fit.training.session.run

    @guest.harmless
    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Begin to record a fit, a validation or a test: Lightning hands over the module, and with it the trainer."""
        trainer = getattr(model, "trainer", None)
        if trainer is None:
            return
        self._trainer = weakref.ref(trainer)
        fit = fit_under_way(trainer)
        if fit is not None and fit.is_current():
            return  # somebody wants the graph, or the callback has begun the fit
        end_left(trainer)
        if trainer.state.fn == "fit":
            record_fit(trainer, self.options, self.launch and self.launch.handed_over())
        else:
            record_evaluation(trainer, self.options)

    @guest.harmless
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Record parameters; those of the modules are recorded anyway."""
        fit = self._fit()
        if fit is not None:
            fit.training.session.params(lambda: dict(params if isinstance(params, Mapping) else vars(params)))

    @guest.harmless
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record metrics that are logged by hand; those that the trainer gives to its loggers are recorded anyway."""
        fit = self._fit()
        if fit is not None and not fit.giving:
            fit.training.session.metrics(metrics, step=step)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Do nothing: the checkpoint is recorded already."""

    def save(self) -> None:
        """Do nothing: everything is on the disk already."""

    def finalize(self, status: str) -> None:
        """Note why processes failed that the trainer had started; its own fit ends with the trainer's teardown."""
        error = sys.exception()
        if status == "failed" and error is not None and self._fit() is None and self.launch is not None:
            self.launch.failed(error)

    def _name_runs(self, name: str | None) -> str | None:
        """Return a name in any case: the folder of checkpoints has it before the run begins."""
        return name or guest.run_name()

    def _fit(self) -> TappedFit | None:
        """Return the fit that is being recorded, by this logger or by the callback."""
        trainer = None if self._trainer is None else self._trainer()
        return None if trainer is None else fit_under_way(trainer)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_trainer": None}
