"""One recorded fit of a Trainer: its parameters, data, metrics and checkpoints, from its beginning to its end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from runlore import FitSession, guest
from runlore.guest import FitRequest
from runlore.guest.additions import Additions, tensors_of
from runlore.guest.captured import is_default
from runlore.guest.launch import Launch
from runlore.guest.wrapping import token_of
from runlore_lightning._checkpoints import Checkpoints
from runlore_lightning._data import record_data
from runlore_lightning._endings import reason_to_stop, stops
from runlore_lightning._framework import NAME
from runlore_lightning._metrics import Points, record_silence, record_unsynced
from runlore_lightning._optimizers import Rates, Stepped, configured, named_by, settings, steps_done
from runlore_lightning._options import Options
from runlore_lightning._owners import Owner, maker_of, owners
from runlore_lightning._params import PARTS, carried, hparams

RESUMED_FROM = "resumed_from"


class Training:
    """A fit that is recorded. It holds the trainer, and is dropped when the fit ends: its `Owner` stays."""

    def __init__(self, trainer: Any, session: FitSession) -> None:
        self.session = session
        self.owner = Owner(session)
        self._trainer = trainer
        self._points = Points(trainer, session.metrics)
        self._checkpoints = Checkpoints(trainer, session, self.owner.steps)
        self.has_begun = False  # an epoch has
        self._epoch: int | None = None  # the last one that has begun
        self._hparams: dict[str, Any] = {}  # that are on record
        self._stepped = Stepped(configured(trainer))
        self._rates = Rates(self._optimizers, lambda found: named_by(trainer, found))
        self._stops = stops(trainer)

    @classmethod
    def begin(
        cls, trainer: Any, options: Options, launch: Launch | None, early: FitSession | None = None
    ) -> Self | None:
        """Open the run of the fit that begins, and record its parameters; None where nothing is to be recorded.

        `early` is a session that was begun for this fit: by a logger that had something to write before.
        """
        path = owners().file_of(trainer.lightning_module)
        session = early or FitSession.begin(NAME, request_of(trainer, options, launch))
        if not session:
            return None
        try:
            if early is not None:
                early.resume()
                early.record(lambda session: session.run.set_tags(tags_of(trainer)))
                link_to_writer(early, RESUMED_FROM, trainer.ckpt_path)
            link_to_writer(session, "started_from", path if trainer.ckpt_path is None else None)
            training = cls(trainer, session)
            training._record_params()
        except BaseException as error:  # Ctrl-C meanwhile
            session.end(error)
            raise
        owners().set(training.owner, trainer, trainer.lightning_module)
        session.trains, session.place = token_of(trainer.lightning_module), training.place
        return training

    def place(self) -> tuple[int, int | None]:
        """Return step and epoch of the weights now."""
        return steps_done(self._trainer), self._epoch

    def take(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Write metrics that the trainer gives to its loggers; where it logs a step, learning rates stand beside."""
        rates: Mapping[str, Any] = {}
        try:
            if self._points.split() == "train":
                rates = self._rates_now()
            elif self.place() != self.owner.weights.last:  # of a validation, whose weights somebody may keep
                self._note_weights()
        finally:  # whatever an optimizer of the user's raises
            if metrics:
                self._points.write({**metrics, **rates}, step)
            elif rates:
                self._write_rates(rates)

    def begin_epoch(self) -> None:
        """Record the learning rates, and before the first epoch the data, which is loaded by now."""
        trainer, session = self._trainer, self.session
        if self.has_begun:
            session.record(lambda _: self._note_weights())
        self._epoch = trainer.current_epoch
        if not self.has_begun:
            session.record(lambda session: record_data(session, trainer))
            self.has_begun = True
            session.params(self._changed_hparams)
            if trainer.ckpt_path is not None:  # learning rates were restored from the checkpoint
                self._rates.forget()
        session.record(lambda _: self._write_rates(self._rates_now()))

    def saved(self, filepath: Any) -> None:
        """Record a checkpoint that the trainer has saved."""
        self.session.record(lambda _: self._checkpoints.saved(filepath))
        self.session.record(lambda _: self._note_weights())

    def end(self, error: BaseException | None) -> None:
        """Record how the fit went out, and end its session."""
        trainer, session = self._trainer, self.session
        try:
            self._stepped.close()
            session.record(lambda _: self._note_last_weights())
            session.record(lambda _: self._checkpoints.note_links())
            session.record(lambda session: record_unsynced(session, trainer))
            session.record(lambda _: self._record_ending(error))
            if not self._points.written:
                session.record(lambda session: record_silence(session, trainer))
        finally:  # also when Ctrl-C comes meanwhile
            told_to = isinstance(error, SystemExit) and bool(getattr(trainer, "received_sigterm", False))
            session.end(error, interrupted=told_to)

    def _note_weights(self) -> None:
        self.owner.weights.note(*self.place(), tensors_of(self._trainer.lightning_module))

    def _note_last_weights(self) -> None:
        """Note the weights that the module has at the end: earlier ones, maybe, that somebody has kept and put back."""
        weights, tensors = self.owner.weights, tensors_of(self._trainer.lightning_module)
        step, epoch = weights.known(tensors) or self.place()
        weights.note(step, epoch, tensors)

    def _record_params(self) -> None:
        trainer, session = self._trainer, self.session
        for part in PARTS:
            session.params(lambda part=part: part(trainer))  # type: ignore[misc]
        session.record(lambda _: self._note_params())
        if not (configured(trainer) and getattr(trainer.lightning_module, "automatic_optimization", True)):
            session.record(lambda _: self._stepped.open())

    def _note_params(self) -> None:
        self._hparams = hparams(self._trainer)
        self._rates.now()

    def _changed_hparams(self) -> dict[str, Any]:
        """Return the hyperparameters that a hook has changed since they were recorded."""
        now, before = hparams(self._trainer), self._hparams
        return {name: now[name] for name in now if name not in before or not is_default(now[name], before[name])}

    def _optimizers(self) -> list[Any]:
        return [*configured(self._trainer), *self._stepped.found()]

    def _rates_now(self) -> dict[str, float]:
        return self._rates.now(lambda found: self.session.params(lambda: settings(found)))

    def _write_rates(self, rates: Mapping[str, Any]) -> None:
        if rates:
            step, epoch = steps_done(self._trainer), self._trainer.current_epoch
            self.session.metrics(rates, step=step, epoch=epoch, split="train")

    def _record_ending(self, error: BaseException | None) -> None:
        reason = reason_to_stop(self._trainer, self._stops, self._epoch) if error is None else None
        if reason is not None:
            self.session.stopped(reason, step=steps_done(self._trainer), epoch=self._epoch)


def request_of(trainer: Any, options: Options, launch: Launch | None) -> FitRequest:
    """Return what a fit of a trainer asks for; it may fail before it has a module."""
    module = trainer.lightning_module
    before, baseline = owners().of(trainer), None if module is None else owners().baseline_of(module)
    return options.request(
        tags=tags_of(trainer),
        carried=carried(trainer),
        resume_from=trainer.ckpt_path,
        after=None if before is None else before.session.run,
        copy_of=_maker(trainer, options),
        continues=baseline.run if baseline is not None and baseline.owned else None,
        leader=trainer.is_global_zero,
        launch=launch,
    )


def _maker(trainer: Any, options: Options) -> Additions | None:
    """Return additions to the run that made the weights of a module; None as well where their file tells more."""
    module = trainer.lightning_module
    if module is None or trainer.ckpt_path is not None or owners().file_of(module) is not None:
        return None
    return maker_of(module, options.store)


def tags_of(trainer: Any) -> dict[str, str]:
    """Return the tags of a run."""
    return {"model": type(trainer.lightning_module).__name__}


def link_to_writer(session: FitSession, kind: str, path: Any) -> None:
    """Record the run that wrote a checkpoint as one that this one is based on; without effect where none did."""
    place = None if path is None else Path(path)

    def link(session: FitSession) -> None:
        found = guest.writer_of(session.store, place) if place is not None and place.exists() else None
        if found is not None and found.run != session.run.id:
            session.link(kind, found.run, found.step, found.sha256)

    session.record(link)
