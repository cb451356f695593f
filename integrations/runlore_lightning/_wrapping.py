"""The methods of a Trainer's own objects that are tapped: called through us while a fit or an evaluation lasts.

Lightning has no hook that is called at the end of every fit, none for what it gives to its loggers, and none for saving
and removing checkpoints. So methods of the one Trainer that the callback was given to are tapped, and no class.
"""

import sys
import weakref
from collections.abc import Iterable
from typing import Any

from runlore import FitSession, guest
from runlore.guest.launch import Launch
from runlore.guest.wrapping import as_written
from runlore_lightning._evaluation import Evaluation, beside_fit
from runlore_lightning._framework import NAME, logger_connector, signal_connector
from runlore_lightning._options import Options
from runlore_lightning._params import hparams
from runlore_lightning._search import is_of_a_search, is_searching
from runlore_lightning._taps import Call, Taps
from runlore_lightning._training import Training, request_of

Method = tuple[Any, str]  # of an object, and its name


class Ending:
    """The exception that a fit ends with, by whoever sees it first: a hook, or a method called while it propagates."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._outer = sys.exception()  # fit() may be called while another exception is handled

    def note_propagating(self) -> None:
        """Note the exception now propagating, unless fit() was called while handling it."""
        propagating = sys.exception()
        if self.error is None and propagating is not self._outer:
            self.error = propagating

    def has_passed(self) -> bool:
        """Return True if no exception of the fit is propagating any more."""
        return sys.exception() is self._outer


class TappedFit:
    """A fit under way whose trainer is tapped.

    On success Lightning calls the profiler last of all, behind every callback's and module's hooks. On failure it calls
    the strategy's teardown, unless another callback fails in between: then whoever asks next finds the fit over.
    """

    def __init__(self, trainer: Any, training: Training) -> None:
        self.training = training
        self.ending = Ending()
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
        guest.part(UnderWay).add(self, trainer, self._module)
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
        guest.part(UnderWay).drop(self, self._trainer, self._module)
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
        self.evaluation = evaluation
        self.giving = False  # True while the trainer gives metrics to its loggers
        self._trainer = trainer
        self._ending = Ending()
        self._taps = Taps()
        self._taps.set(logger_connector(trainer), "log_metrics", self._log_metrics)
        self._taps.set(trainer.strategy, "teardown", self._teardown)
        guest.part(UnderWay).add(self, trainer)

    def close(self) -> None:
        """Take the taps off, and end the evaluation."""
        self._ending.note_propagating()
        self._taps.close()
        guest.part(UnderWay).drop(self, self._trainer)
        self.evaluation.end(self._ending.error)

    @guest.unseen
    def _log_metrics(self, log_metrics: Call, metrics: Any, step: int | None = None) -> Any:
        self.giving = True
        try:
            result = log_metrics(metrics, step)
        finally:
            self.giving = False
        if metrics:
            self.evaluation.take(metrics, step)
        return result

    @guest.unseen
    def _teardown(self, teardown: Call) -> Any:
        try:
            return teardown()
        finally:
            self.close()


class UnderWay(guest.Part):
    """Finds the tapped fit of a trainer or a module, and the tapped evaluation of a trainer."""

    inherited = True

    def __init__(self) -> None:
        self._fits: weakref.WeakKeyDictionary[Any, TappedFit] = weakref.WeakKeyDictionary()
        self._evaluations: weakref.WeakKeyDictionary[Any, TappedEvaluation] = weakref.WeakKeyDictionary()

    def fit_of(self, item: Any) -> TappedFit | None:
        """Return the fit of a trainer or a module, also one that was left without a word."""
        return self._fits.get(item)

    def evaluation_of(self, trainer: Any) -> TappedEvaluation | None:
        """Return the test or validation of a trainer, also one that was left without a word."""
        return self._evaluations.get(trainer)

    def add(self, begun: TappedFit | TappedEvaluation, *items: Any) -> None:
        """Note what has begun for trainers and modules."""
        registry: Any = self._fits if isinstance(begun, TappedFit) else self._evaluations
        for item in items:
            registry[item] = begun

    def drop(self, over: TappedFit | TappedEvaluation, *items: Any) -> None:
        """Forget what is over, unless something newer has begun for an item."""
        registry: Any = self._fits if isinstance(over, TappedFit) else self._evaluations
        for item in items:
            if registry.get(item) is over:
                del registry[item]


# What the callback and the logger ask for


def fit_under_way(trainer: Any) -> TappedFit | None:
    """Return the recorded fit that a trainer is in, or was left in without a word."""
    return guest.part(UnderWay).fit_of(trainer)


def evaluation_under_way(trainer: Any) -> TappedEvaluation | None:
    """Return the recorded test or validation that a trainer is in, or was left in without a word."""
    return guest.part(UnderWay).evaluation_of(trainer)


def record_fit(
    trainer: Any, options: Options, launch: Launch | None = None, early: FitSession | None = None
) -> TappedFit | None:
    """Record the fit that begins; None where `is_recorded` says no, or this process records none."""
    if not is_recorded(trainer, options):
        return None
    methods = _methods_of_a_fit(trainer)  # before a run is begun whose end we would not learn
    training = Training.begin(trainer, options, launch, early)
    if training is None:
        return None
    fit = TappedFit(trainer, training)
    fit.open(methods)
    return fit


def is_recorded(trainer: Any, options: Options) -> bool:
    """Return False for a dry run that nobody wants, and for a part of another fit."""
    is_dry = trainer.fast_dev_run or trainer.barebones
    return not guest.in_fit() and (not is_dry or options.dry_runs or guest.records_dry_runs())


def record_failure(trainer: Any, options: Options, error: BaseException) -> None:
    """Record a fit that failed before it began: in `setup`, `configure_optimizers`, as its checkpoint was read."""
    if is_recorded(trainer, options):
        session = FitSession.begin(NAME, request_of(trainer, options, None), params=lambda: hparams(trainer))
        session.end(error)


def record_evaluation(trainer: Any, options: Options) -> None:
    """Record the test or validation that begins."""
    if not trainer.is_global_zero or trainer.fast_dev_run or trainer.barebones:
        return
    under_way, module = guest.part(UnderWay), trainer.lightning_module
    if under_way.fit_of(trainer) is not None or under_way.evaluation_of(trainer) is not None:
        return
    beside = beside_fit(module) if guest.in_fit() else None
    if beside is None and (guest.in_fit() or under_way.fit_of(module) is not None):
        return
    asked = getattr(type(trainer), trainer.state.fn.value)  # `test` or `validate`, which is running
    written = as_written(1, "dataloaders", "datamodule", running=asked)
    TappedEvaluation(trainer, Evaluation(trainer, options, written, beside))


def end_left(trainer: Any) -> None:
    """End the fit or evaluation that an exception left without a word; called where something new begins."""
    under_way = guest.part(UnderWay)
    fit, evaluation = under_way.fit_of(trainer), under_way.evaluation_of(trainer)
    if fit is not None:
        fit.leave()
    if evaluation is not None:
        evaluation.close()


def _methods_of_a_fit(trainer: Any) -> list[Method]:
    """Return the public methods that tell the course of a fit, each with the object that it is tapped on.

    Raises:
        AttributeError: Lightning has changed, and one of them is gone.
    """
    strategy = trainer.strategy
    found = [
        (trainer.fit_loop, "on_advance_start"),
        (trainer, "save_checkpoint"),
        (strategy, "remove_checkpoint"),
        (strategy, "teardown"),
        (trainer.profiler, "describe"),
    ]
    for owner, name in found:
        getattr(owner, name)
    return found
