"""One fit of a Trainer, recorded by taps on this very object, which are taken off when the fit is over."""

import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runlore import FitSession, guest
from runlore.guest.launch import Launch
from runlore.guest.options import RunOptions
from runlore_lightning._data import record_data
from runlore_lightning._evaluation import Evaluations, begin_lone, close_left
from runlore_lightning._files import Files, is_of_a_search
from runlore_lightning._metrics import split_of, without_axis
from runlore_lightning._params import PARTS, optimizers, rank_local, rates
from runlore_lightning._taps import Taps
from runlore_lightning.plugin import NAME


@dataclass(frozen=True, slots=True)
class Options(RunOptions):
    """What the user said of runs that are to be made."""

    dry_runs: bool = False


_last: "weakref.WeakKeyDictionary[Any, Recording]" = weakref.WeakKeyDictionary()  # by trainer, and by module


class Recording:
    """A fit, until Lightning is through with it; afterwards only its session, for what is tested then.

    On success Lightning calls the profiler last of all, behind every callback's and module's hooks. On failure it calls
    the strategy's teardown, unless another callback fails in between: then the next one who asks finds it over.
    """

    def __init__(self, trainer: Any, had_callbacks: bool) -> None:
        self.session: FitSession
        self.evaluations: Evaluations
        self.error: BaseException | None = None
        self.closed = False
        self.inside = False  # whether the trainer is giving something to its loggers
        self.taken = False  # whether any metric was
        self._stage: Any = None  # of the metrics before, and its split
        self._split: str | None = None
        self._described = False  # whether the data was
        self._torn_down = False  # whether the strategy was, and only hooks are left
        self._had_callbacks = had_callbacks
        self._optimizers = trainer.optimizers
        self._before = sys.exception()
        self._trainer = trainer
        self._files: Files
        self._taps = Taps()
        self._signals = Taps()
        try:
            self._set_taps(trainer)
        except BaseException:
            self._untap()
            raise

    def _untap(self) -> None:
        self._taps.close()
        self._signals.close()

    @classmethod
    def begin(cls, trainer: Any, options: Options, launch: Launch | None = None) -> None:
        """Record the fit that begins, if there is anything to record."""
        if (trainer.fast_dev_run or trainer.barebones) and not (options.dry_runs or guest.records_dry_runs()):
            return
        before = cls.of(trainer)
        if guest.in_fit():
            return
        recording = cls(trainer, bool(trainer.callbacks))
        try:
            session = cls._session(trainer, options, launch, before)
        except BaseException:
            recording._untap()
            raise
        if not session:
            recording._untap()
            return
        recording._start(session)
        _last[trainer] = _last[trainer.lightning_module] = recording

    @staticmethod
    def _session(trainer: Any, options: Options, launch: Launch | None, before: "Recording | None") -> FitSession:
        return FitSession.begin(
            NAME,
            options.request(
                tags={"model": type(trainer.lightning_module).__name__},
                resume_from=trainer.ckpt_path,
                after=None if before is None else before.session.run,
                leader=trainer.is_global_zero,
                launch=launch,
            ),
        )

    @staticmethod
    def of(trainer: Any) -> "Recording | None":
        """The last recorded fit of a trainer, or of a module."""
        return _last.get(trainer)

    def is_of_this_fit(self, trainer: Any) -> bool:
        """Whether the fit that the trainer is in is the one that is recorded here: each makes optimizers anew."""
        return not self.closed and self._optimizers is trainer.optimizers

    def close_if_over(self) -> None:
        """End the session if the fit was left without a word: its state tells, and its exception has gone by."""
        trainer = self._trainer
        if trainer is not None and trainer.state.status != "running" and sys.exception() is self._before:
            self.close_as_left()

    def close_as_left(self) -> None:
        """End the session of a fit that nobody ended."""
        if not self.closed:
            self._note_passing()
            self.error = self.error or RuntimeError("the fit was left by an exception that runlore was not told of")
            self._close()
        self._signals.close()

    def _start(self, session: FitSession) -> None:
        trainer = self._trainer
        self.session = session
        self._files = Files(trainer, session)
        self.evaluations = Evaluations(session.run, self._files.steps)
        session.look = self.close_if_over
        for part in PARTS:  # one that can't be asked costs only itself
            session.params(lambda part=part: part(trainer))  # type: ignore[misc]

    # What is tapped

    def _set_taps(self, trainer: Any) -> None:
        taps = self._taps
        try:
            taps.set(trainer._logger_connector, "log_metrics", self._log_metrics)
            self._signals.set(trainer._signal_connector, "teardown", self._give_back_signals)
        except AttributeError:  # private names
            guest.warn("Lightning has changed inside: metrics are recorded with RunloreLogger only")
        taps.set(trainer.fit_loop, "on_advance_start", self._begin_epoch)
        taps.set(trainer, "save_checkpoint", self._save)
        taps.set(trainer.strategy, "remove_checkpoint", self._remove)
        taps.set(trainer.strategy, "teardown", self._teardown)
        taps.set(trainer.profiler, "describe", self._finish)

    @guest.unseen
    def _log_metrics(self, log_metrics: Callable[..., Any], metrics: Any, *args: Any, **kwargs: Any) -> Any:
        """What the trainer gives to its loggers, also where it has none: each value once, at the step it is for.

        The sanity check gives nothing, `logger=False` keeps a metric out, and of `m_step` and `m_epoch` there is no
        alias.
        """
        self.inside = True
        try:
            result = log_metrics(metrics, *args, **kwargs)  # first, as it reads what lies on a device
        finally:
            self.inside = False
        try:  # not by a decorator, as this is done at every step
            if metrics and not self._is_searching():
                self._take(metrics, *args, **kwargs)
        except Exception as error:  # Lightning calls us, and must not meet our exceptions
            self.session.missing("metrics that Lightning logged", f"{type(error).__name__}: {error}")
        return result

    def _take(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        trainer = self._trainer
        self.taken = True
        stage = trainer.state.stage
        if stage is not self._stage:
            self._stage, self._split = stage, split_of(stage)
        if step is None:
            step = trainer.global_step
        self.session.metrics(without_axis(metrics), step=step, epoch=trainer.current_epoch, split=self._split)

    @guest.unseen
    def _begin_epoch(self, on_advance_start: Callable[[], Any]) -> Any:
        result = on_advance_start()
        if not self._is_searching():
            if not self._described:
                self._described = True
                self.session.record(lambda session: record_data(session, self._trainer))
                if self._trainer.ckpt_path is not None:  # what the checkpoint says of rates has come over what was set
                    self.session.params(lambda: optimizers(self._trainer))
            self.session.record(self._record_rates)
        return result

    @guest.unseen
    def _save(self, save_checkpoint: Callable[..., Any], filepath: Any, *args: Any, **kwargs: Any) -> Any:
        result = save_checkpoint(filepath, *args, **kwargs)
        if not is_of_a_search(filepath):
            self.session.record(lambda _: self._files.saved(filepath))
        return result

    @guest.unseen
    def _remove(self, remove_checkpoint: Callable[..., Any], filepath: Any, *args: Any, **kwargs: Any) -> Any:
        if is_of_a_search(filepath):
            return remove_checkpoint(filepath, *args, **kwargs)
        with self.session.removing(filepath):
            return remove_checkpoint(filepath, *args, **kwargs)

    @guest.unseen
    def _teardown(self, teardown: Callable[[], Any]) -> Any:
        self._note_passing()
        try:
            result = teardown()
            self._torn_down = True
        finally:
            if self.error is not None:
                self._close()
        return result

    @guest.unseen
    def _finish(self, describe: Callable[[], Any]) -> Any:
        try:
            return describe()
        finally:
            if self._torn_down:  # else somebody asks in between
                self._note_passing()
                self._close()

    def _note_passing(self) -> None:
        """Remember the exception that goes by, if it is not one that the fit began in."""
        passing = sys.exception()
        if self.error is None and passing is not self._before:
            self.error = passing

    @guest.unseen
    def _give_back_signals(self, teardown: Callable[[], Any]) -> Any:
        """Lightning puts the handlers back that it had found, behind the strategy's teardown."""
        try:
            return teardown()
        finally:
            self._signals.close()
            guest.rearm()

    def _record_rates(self, session: FitSession) -> None:
        trainer = self._trainer
        session.metrics(dict(rates(trainer)), step=trainer.global_step, epoch=trainer.current_epoch, split="train")

    def _is_searching(self) -> bool:
        """Whether Lightning tries learning rates or batch sizes for now: with none of the callbacks it was given."""
        callbacks = self._trainer.callbacks
        if not callbacks:
            return self._had_callbacks
        return type(callbacks[0]).__name__ == "_LRCallback"

    # Its end

    def _close(self) -> None:
        if self.closed:
            return
        self.closed = True
        trainer, session = self._trainer, self.session
        self._taps.close()
        session.look = None
        try:
            session.record(lambda _: self._files.note_links())
            session.record(lambda session: _record_outcome(session, trainer))
            if not self.taken:
                session.record(lambda session: _tell_silence(session, trainer))
        finally:  # also when Ctrl-C comes meanwhile
            error = self.error
            self._trainer = self._files = self._optimizers = None  # type: ignore[assignment]  # they hold the trainer
            self.error = self._before = None  # and so do the frames of an exception
            told = isinstance(error, SystemExit) and bool(getattr(trainer, "received_sigterm", False))
            session.end(error, interrupted=told)


def forget_left(trainer: Any) -> None:
    """Something new begins: what the trainer was left in before, by an exception, is over."""
    recording = Recording.of(trainer)
    if recording is not None:
        recording.close_as_left()
    close_left(trainer)


def begin_evaluation(trainer: Any, options: Options) -> None:
    """A test or validation begins: of a module that was fitted, or of a checkpoint that some run wrote."""
    if not trainer.is_global_zero or trainer.fast_dev_run or guest.in_fit():
        return
    recording = Recording.of(trainer.lightning_module)
    if recording is not None and recording.closed:
        recording.evaluations.begin(trainer, options.store)
    elif recording is None:
        begin_lone(trainer, options.store)


def _tell_silence(session: FitSession, trainer: Any) -> None:
    """A short fit that logs only by step gives its loggers nothing."""
    # Not the public callback_metrics, which computes, and would wait for other ranks that are gone.
    logged = sorted(map(str, trainer._logger_connector._callback_metrics))
    if logged and trainer.global_step < trainer.log_every_n_steps:
        why = f"log_every_n_steps is {trainer.log_every_n_steps}, the fit had {trainer.global_step} steps"
        session.missing(f"metrics {', '.join(logged)}", f"Lightning gives them to no logger: {why}")


def _record_outcome(session: FitSession, trainer: Any) -> None:
    """What a trainer knows at the end: why it stopped early, and which metrics are of one rank only."""
    for callback in trainer.early_stopping_callbacks:
        if getattr(callback, "stopped_epoch", 0):
            reason = getattr(callback, "stopping_reason_message", None) or f"{callback.monitor} did not improve"
            session.run.set_tags({"stopped": f"epoch {callback.stopped_epoch}: {reason}"})
    for name in rank_local(trainer):
        session.missing(f"metric {name!r} of other ranks", "logged without sync_dist: it is rank 0's own value")
