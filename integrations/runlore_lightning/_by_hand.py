"""Record what is logged by hand: in a fit, before one, behind one, and in a loop without a Trainer."""

import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from runlore import FitSession, guest
from runlore_lightning._calls import Target, evaluation_under_way, fit_under_way
from runlore_lightning._framework import NAME, is_leader
from runlore_lightning._optimizers import Rates, Stepped, settings, unnamed
from runlore_lightning._options import Options
from runlore_lightning._owners import owners
from runlore_lightning._params import is_hparams_of
from runlore_lightning._switch import Trainers


class ByHand:
    """Finds the run for what a logger is given. A copy in another process belongs to a Trainer that will be known."""

    def __init__(self, options: Options) -> None:
        self.early: FitSession | None = None  # begun before a fit, or without a Trainer
        self._options = options
        self._made_in = os.getpid()
        self._trainer: Any = None  # a weak reference
        self._made = 0  # Trainers, when it was given to the last one
        self._waiting: tuple[Mapping[str, Any], ...] = ()  # hyperparameters, for the fit that comes
        self._stepped: Stepped | None = None  # the optimizers of a loop without a Trainer
        self._rates: Rates | None = None  # theirs

    @property
    def trainer(self) -> Any:
        """The Trainer that the logger was given to, as far as it is known."""
        return None if self._trainer is None else self._trainer()

    def watch(self) -> Stepped:
        """Notice the optimizers that are stepped, until a Trainer is known, the loop has ended or this is gone."""
        if self._stepped is None:
            self._stepped = Stepped()
            self._stepped.open()
            self._rates = Rates(self._stepped.found, unnamed)
            weakref.finalize(self, self._stepped.close).atexit = False
        return self._stepped

    def attach(self, trainer: Any) -> None:
        """Note the Trainer."""
        if self.early is None:
            self._stop_watching()
        self._trainer = weakref.ref(trainer)
        self._made = guest.part(Trainers).made

    def params(self, told: Mapping[str, Any]) -> None:
        """Record hyperparameters, unless it is Lightning itself that tells them, as they were initially."""
        trainer = self.trainer
        if trainer is not None and is_hparams_of(trainer, told) and _has_just_begun(trainer):
            return
        if self._is_idle() and guest.part(Trainers).made:
            self._waiting = (*self._waiting, told)
            return
        target = self.target()
        if target is not None:
            target.params(lambda: told)

    def metrics(self, metrics: Mapping[str, Any], step: int | None) -> None:
        """Record metrics, but for those that the trainer gives to all its loggers."""
        trainer = self.trainer
        under_way = None if trainer is None else fit_under_way(trainer) or evaluation_under_way(trainer)
        target = None if under_way is not None and under_way.giving else self.target()
        if target is not None:
            target.metrics(metrics, step=step)
            self._record_rates(target, step)

    def media(self, keep: Callable[[Any, int | None], None]) -> None:
        """Keep media of a run, at the step that the trainer is at."""
        trainer, target = self.trainer, self.target()
        if target is not None:
            target.media(lambda run: keep(run, None if trainer is None else trainer.global_step))

    def target(self) -> Target | None:
        """Return what takes what is logged now; None where nothing is recorded."""
        trainer = self.trainer
        if trainer is not None:
            fit, evaluation = fit_under_way(trainer), evaluation_under_way(trainer)
            if fit is not None:
                return fit.training.session
            if evaluation is not None:
                return evaluation.target()
            if trainer.state.status == "running":  # Lightning asks before we do, or nothing is recorded
                return None
            owner = owners().of(trainer)
            if owner is not None and self.early is None:
                return owner.additions()
        if self.early is None and self._made_in == os.getpid():
            self.early = self._begin()
        return self.early

    def hand_over(self, session: FitSession) -> None:
        """Write what has waited for a fit; `early` is a part of it now."""
        self._stop_watching()
        self.early, waiting, self._waiting = None, self._waiting, ()
        for told in waiting:
            session.params(lambda told=told: told)  # type: ignore[misc]

    def end(self, error: BaseException | None) -> None:
        """End a run that no Trainer writes."""
        early = self.early
        if early is not None and self._trainer is None:
            self.hand_over(early)
            early.end(error)

    def _is_idle(self) -> bool:
        """Return True while there is nothing to write to, or a new Trainer was made, which may yet begin a fit."""
        trainer = self.trainer
        if self.early is not None or (trainer is not None and trainer.state.status == "running"):
            return False
        return trainer is None or owners().of(trainer) is None or guest.part(Trainers).made > self._made

    def _begin(self) -> FitSession:
        """Begin the run of a loop without a Trainer, or of the fit that comes."""
        session = FitSession.begin(NAME, self._options.request(leader=is_leader()))
        session.pause()
        waiting, self._waiting = self._waiting, ()
        for told in waiting:
            session.params(lambda told=told: told)  # type: ignore[misc]
        if session:
            session.record(self._watch_for)
        return session

    def _watch_for(self, session: FitSession) -> None:
        self.watch()

    def _record_rates(self, target: Target, step: int | None) -> None:
        """Record the optimizers that a loop without a Trainer steps, and their rates beside what it logs."""
        if self._rates is None or target is not self.early:
            return
        told = self._rates.now(lambda found: target.params(lambda: settings(found)))
        if told:
            target.metrics(told, step=step, split="train")

    def _stop_watching(self) -> None:
        if self._stepped is not None:
            self._stepped.close()
            self._stepped = self._rates = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_trainer": None, "early": None, "_stepped": None, "_rates": None}


def _has_just_begun(trainer: Any) -> bool:
    """Return True in a call of a Trainer until the first epoch of a fit."""
    fit = fit_under_way(trainer)
    return trainer.state.status == "running" and not (fit is not None and fit.training.has_begun)
