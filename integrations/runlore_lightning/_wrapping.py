"""The methods of a Trainer's own objects that are tapped: called through us while a fit or an evaluation lasts.

Lightning has no hook that is called at the end of every fit, none for what it gives to its loggers, and none for saving
and removing checkpoints. So methods of the one Trainer that the callback was given to are tapped, and no class.
"""

import copy
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from runlore import guest
from runlore.guest.launch import Launch
from runlore_lightning._evaluation import Evaluation
from runlore_lightning._framework import logger_connector, signal_connector
from runlore_lightning._owners import owners
from runlore_lightning._search import is_of_a_search, is_searching
from runlore_lightning._training import Options, Training

Call = Callable[..., Any]  # called with the original method before its arguments
Method = tuple[Any, str]  # of an object, and its name
_MISSING = object()


class Tap:
    """Stands in an object's attributes for a method of its class. A copy of the object gets the method, and no tap."""

    def __init__(self, owner: Any, name: str, call: Call) -> None:
        self.owner = owner
        self.name = name
        self.before = vars(owner).get(name, _MISSING)  # what somebody else had put there
        self._original = getattr(owner, name)
        self._call: Call | None = call

    def close(self) -> None:
        """Take the tap off, unless somebody has put something else there; who still holds it calls the original."""
        self._call = None
        if vars(self.owner).get(self.name) is not self:
            return
        before = self.before
        while isinstance(before, Tap) and before._call is None:  # closed meanwhile, out of turn
            before = before.before
        if before is _MISSING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, before)

    @guest.unseen
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = self._call
        return self._original(*args, **kwargs) if call is None else call(self._original, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_original"], name)  # its name, signature, documentation

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if self.before is not _MISSING:
            return copy.deepcopy(self.before, memo)
        return getattr(copy.deepcopy(self.owner, memo), self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.before is not _MISSING:
            return _itself, (self.before,)
        return getattr, (self.owner, self.name)


def _itself(value: Any) -> Any:
    return value


class Taps:
    """Taps that are taken off together."""

    def __init__(self) -> None:
        self._open: list[Tap] = []

    def set(self, owner: Any, name: str, call: Call) -> None:
        """Let `call(original, …)` be called instead of a method.

        Raises:
            AttributeError: there is no such method.
        """
        tap = Tap(owner, name, call)
        setattr(owner, name, tap)
        self._open.append(tap)

    def close(self) -> None:
        """Take the taps off."""
        while self._open:
            self._open.pop().close()

    def __bool__(self) -> bool:
        return bool(self._open)


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
            if metrics and not is_searching(self._trainer, self._had_callbacks):
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
        self._evaluation = evaluation
        self._trainer = trainer
        self._taps = Taps()
        self._taps.set(logger_connector(trainer), "log_metrics", self._log_metrics)
        self._taps.set(trainer.strategy, "teardown", self._teardown)
        guest.part(UnderWay).add(self, trainer)

    def close(self) -> None:
        """Take the taps off, and end the evaluation."""
        self._taps.close()
        guest.part(UnderWay).drop(self, self._trainer)
        self._evaluation.end()

    @guest.unseen
    def _log_metrics(self, log_metrics: Call, metrics: Any, step: int | None = None) -> Any:
        result = log_metrics(metrics, step)
        if metrics:
            self._evaluation.take(self._trainer, metrics, step)
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


def record_fit(trainer: Any, options: Options, launch: Launch | None = None) -> None:
    """Record the fit that begins, unless it is a dry run, a part of another fit, or of a process that records none."""
    if (trainer.fast_dev_run or trainer.barebones) and not (options.dry_runs or guest.records_dry_runs()):
        return
    if guest.in_fit():
        return
    methods = _methods_of_a_fit(trainer)  # before a run is begun whose end we would not learn
    training = Training.begin(trainer, options, launch)
    if training is not None:
        TappedFit(trainer, training).open(methods)


def record_evaluation(trainer: Any, options: Options) -> None:
    """Record the test or validation that begins: of a module that was fitted, or of a checkpoint that a run wrote."""
    if not trainer.is_global_zero or trainer.fast_dev_run or guest.in_fit():
        return
    module = trainer.lightning_module
    if guest.part(UnderWay).fit_of(module) is None:
        TappedEvaluation(trainer, Evaluation(owners().of(module), options.store))


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
