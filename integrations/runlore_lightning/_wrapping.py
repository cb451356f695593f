"""The methods of a Trainer's own objects that are tapped: called through us while a fit or an evaluation lasts.

Lightning has no hook that is called at the end of every fit, none for what it gives to its loggers, and none for saving
and removing checkpoints. So methods of the one Trainer that the callback was given to are tapped, and no class.
"""

from collections.abc import Iterable
from typing import Any

from runlore import FitSession, guest
from runlore.guest.launch import Launch
from runlore.guest.wrapping import as_written
from runlore_lightning._calls import UnderWay, evaluation_under_way, fit_under_way
from runlore_lightning._evaluation import Evaluation, beside_fit
from runlore_lightning._framework import NAME, Method, logger_connector, methods_of_a_fit, signal_connector
from runlore_lightning._options import Options
from runlore_lightning._params import hparams
from runlore_lightning._search import is_of_a_search, is_searching
from runlore_lightning._taps import Call, Taps
from runlore_lightning._training import Training, request_of


class TappedFit:
    """A fit under way whose trainer is tapped.

    On success Lightning calls the profiler last of all, behind every callback's and module's hooks. On failure it calls
    the strategy's teardown, unless another callback fails in between: then whoever asks next finds the fit over.
    """

    def __init__(self, trainer: Any, training: Training) -> None:
        self.training = training
        self.ending = guest.Leaving()
        self.giving = False  # True while the trainer gives metrics to its loggers
        self._trainer = trainer
        self._module = trainer.lightning_module
        self._optimizers = trainer.optimizers
        self._had_callbacks = bool(trainer.callbacks)
        self._torn_down = False  # the strategy was, and only hooks are left
        self._closed = False
        self._taps = Taps()
        self._signals = Taps()  # closed later: Lightning gives SIGTERM back behind the strategy's teardown

    def open(self, methods: Iterable[Method]) -> None:
        """Note that the fit is under way, and tap `methods` and what gives metrics and signals."""
        trainer = self._trainer
        self.training.session.look = self.close_if_left
        fits = guest.part(UnderWay).fits
        fits[trainer] = fits[self._module] = self
        taps: list[Call] = [self._begin_epoch, self._save, self._remove, self._teardown, self._describe]
        for (owner, name), tap in zip(methods, taps, strict=True):
            self._taps.set(owner, name, tap)
        try:
            self._taps.set(logger_connector(trainer), "log_metrics", self._log_metrics)
            self._signals.set(signal_connector(trainer), "teardown", self._give_back_signals)
        except AttributeError:  # private names
            guest.warn("Lightning has changed inside: metrics are recorded with RunloreLogger only")

    def is_current(self) -> bool:
        """Return True if the trainer is still in this fit: it makes optimizers anew for each."""
        return self._optimizers is self._trainer.optimizers

    def close_if_left(self) -> None:
        """Close the fit if it was left without a word: it isn't running, and no exception of it is propagating."""
        if self._trainer.state.status != "running" and self.ending.has_passed():
            self.leave()

    def leave(self) -> None:
        """Close a fit that nobody ended."""
        self.ending.note_propagating()
        if self.ending.error is None:
            self.ending.error = RuntimeError("the fit was left by an exception that runlore was not told of")
        self._close()
        self._signals.close()

    def _close(self) -> None:
        """Take the taps off, and end the training; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._taps.close()
        guest.part(UnderWay).drop(self)
        self.training.session.look = None
        self.training.end(self.ending.error)

    # The taps

    @guest.unseen
    def _log_metrics(self, log_metrics: Call, metrics: Any, *args: Any, **kwargs: Any) -> Any:
        """Record what the trainer gives to its loggers, also where it has none: each value once, at its step.

        The sanity check gives nothing, `logger=False` keeps a metric out, and of `m_step` and `m_epoch` there is no
        alias.
        """
        self.giving = True
        try:
            result = log_metrics(metrics, *args, **kwargs)  # first, as it reads what lies on a device
        finally:
            self.giving = False
        try:  # not by a decorator, as this is done at every step
            if not is_searching(self._trainer, self._had_callbacks):
                self.training.take(metrics, *args, **kwargs)
        except Exception as error:  # Lightning calls us, and must not meet our exceptions
            self.training.session.missing("metrics that Lightning logged", f"{type(error).__name__}: {error}")
        return result

    @guest.unseen
    def _begin_epoch(self, on_advance_start: Call) -> Any:
        result = on_advance_start()
        if not is_searching(self._trainer, self._had_callbacks):
            self.training.begin_epoch()
        return result

    @guest.unseen
    def _save(self, save_checkpoint: Call, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        result = save_checkpoint(filepath, *args, **kwargs)
        if not is_of_a_search(filepath):
            self.training.saved(filepath)
        return result

    @guest.unseen
    def _remove(self, remove_checkpoint: Call, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        if is_of_a_search(filepath):
            return remove_checkpoint(filepath, *args, **kwargs)
        with self.training.session.removing(filepath):
            return remove_checkpoint(filepath, *args, **kwargs)

    @guest.unseen
    def _teardown(self, teardown: Call) -> Any:
        self.ending.note_propagating()
        try:
            result = teardown()
            self._torn_down = True
        finally:
            if self.ending.error is not None:
                self._close()
        return result

    @guest.unseen
    def _describe(self, describe: Call) -> Any:
        try:
            return describe()
        finally:
            if self._torn_down:  # else it is not the last call: somebody asks in between
                self.ending.note_propagating()
                self._close()

    @guest.unseen
    def _give_back_signals(self, teardown: Call) -> Any:
        """Set the mark for SIGTERM again, once Lightning has put back the handlers that it had found."""
        try:
            return teardown()
        finally:
            self._signals.close()
            guest.rearm()


class TappedEvaluation:
    """A test or validation under way whose trainer is tapped; it ends with the strategy's teardown."""

    def __init__(self, trainer: Any, evaluation: Evaluation) -> None:
        self.giving = False  # True while the trainer gives metrics to its loggers
        self.target = evaluation.target
        self._evaluation = evaluation
        self._ending = guest.Leaving()
        self._taps = Taps()
        self._taps.set(logger_connector(trainer), "log_metrics", self._log_metrics)
        self._taps.set(trainer.strategy, "teardown", self._teardown)
        guest.part(UnderWay).evaluations[trainer] = self

    def close(self) -> None:
        """Take the taps off, and end the evaluation."""
        self._ending.note_propagating()
        self._taps.close()
        guest.part(UnderWay).drop(self)
        self._evaluation.end(self._ending.error)

    @guest.unseen
    def _log_metrics(self, log_metrics: Call, metrics: Any, step: int | None = None) -> Any:
        self.giving = True
        try:
            result = log_metrics(metrics, step)
        finally:
            self.giving = False
        if metrics:
            self._evaluation.take(metrics, step)
        return result

    @guest.unseen
    def _teardown(self, teardown: Call) -> Any:
        try:
            return teardown()
        finally:
            self.close()


# What the callback and the logger ask for


def record_fit(
    trainer: Any, options: Options, launch: Launch | None = None, early: FitSession | None = None
) -> TappedFit | None:
    """Record the fit that begins; None where `is_recorded` says no, or this process records none."""
    if not is_recorded(trainer, options):
        guest.tell_part(NAME)
        return None
    methods = methods_of_a_fit(trainer)  # before a run is begun whose end we would not learn
    training = Training.begin(trainer, options, launch, early)
    if training is None:
        return None
    fit = TappedFit(trainer, training)
    fit.open(methods)
    return fit


def is_recorded(trainer: Any, options: Options) -> bool:
    """Return False for a dry run that nobody wants, and for a part of another fit."""
    is_dry = trainer.fast_dev_run or trainer.barebones
    return not guest.is_part(NAME, asked=options.asked) and (not is_dry or options.dry_runs or guest.records_dry_runs())


def record_failure(trainer: Any, options: Options, error: BaseException) -> None:
    """Record a fit that failed before it began: in `setup`, `configure_optimizers`, as its checkpoint was read."""
    if is_recorded(trainer, options):
        session = FitSession.begin(NAME, request_of(trainer, options, None), params=lambda: hparams(trainer))
        session.end(error)


def record_evaluation(trainer: Any, options: Options) -> None:
    """Record the test or validation that begins."""
    if not trainer.is_global_zero or trainer.fast_dev_run or trainer.barebones:
        return
    module = trainer.lightning_module
    if fit_under_way(trainer) is not None or evaluation_under_way(trainer) is not None:
        return
    beside = beside_fit(module) if guest.in_fit() else None
    if beside is None and (guest.in_fit() or fit_under_way(module) is not None):
        return
    asked = getattr(type(trainer), trainer.state.fn.value)  # `test` or `validate`, which is running
    written = as_written(1, "dataloaders", "datamodule", running=asked)
    TappedEvaluation(trainer, Evaluation(trainer, options, written, beside))
