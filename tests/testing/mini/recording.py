"""The integration: it wraps what the framework's users call, and listens to the framework's events."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore.guest.wrapping import ByIdentity, OnDemand, Wrappers

from .framework import Trainer

RUNS: ByIdentity[Any] = ByIdentity()  # the last run of a trainer


class Recording:
    """One training: listens to a trainer, and ends with the call."""

    def __init__(self, trainer: Trainer, resume_from: Path | None) -> None:
        self.session = FitSession.begin(
            "mini",
            guest.FitRequest(resume_from=resume_from),
            params=lambda: {"lr": trainer.lr, "epochs": trainer.epochs},
        )
        self._heard: dict[str, Callable[[Trainer], None]] = {
            "step": self._step,
            "save": self._save,
            "removal": self._removal,
        }
        for event, handler in self._heard.items():
            trainer.on(event, handler)
        self._trainer = trainer
        if self.session:
            RUNS.set(trainer, self.session.run)

    def end(self, error: BaseException | None) -> None:
        for event, handler in self._heard.items():
            self._trainer.handlers[event].remove(handler)
        if self._trainer.why_stopped is not None:
            self.session.stopped(self._trainer.why_stopped, step=self._trainer.step, epoch=self._trainer.epoch)
        self.session.end(error)

    def _step(self, trainer: Trainer) -> None:
        self.session.metrics({"loss": trainer.loss}, step=trainer.step, epoch=trainer.epoch)
        self.session.metrics(trainer.metrics, step=trainer.step, epoch=trainer.epoch)

    def _save(self, trainer: Trainer) -> None:
        self.session.checkpoint(trainer.path or "", step=trainer.step, epoch=trainer.epoch)

    def _removal(self, trainer: Trainer) -> None:
        self.session.check_removed()


@guest.unseen
def _fit(original: Callable[..., float], trainer: Trainer, data: Sequence[float], *rest: Any, **more: Any) -> float:
    recording = Recording(trainer, *rest, **more)
    try:
        with guest.unrecorded():  # also where there is no session: it goes through `steps`
            result = original(trainer, data, *rest, **more)
    except BaseException as error:
        recording.end(error)
        raise
    recording.end(None)
    return result


@guest.unseen
def _steps(original: Callable[..., Iterator[float]], *arguments: Any) -> Iterator[float]:
    trainer, _, *rest = arguments
    if guest.in_fit():  # that of `fit`, which goes through here
        yield from original(*arguments)
        return
    recording = Recording(trainer, *(rest or [None]))
    session = recording.session
    steps = original(*arguments)
    try:
        while True:
            session.resume()
            try:
                loss = next(steps)
            except StopIteration:
                break
            finally:
                session.pause(returned=False)
            yield loss
    except BaseException as error:
        recording.end(error)
        raise
    recording.end(None)


def _evaluate(original: Callable[..., dict[str, float]], trainer: Trainer, data: Sequence[float]) -> dict[str, float]:
    results = original(trainer, data)
    if not guest.in_fit():
        _add(trainer, data, results)
    return results


@guest.harmless
def _add(trainer: Trainer, data: Sequence[float], results: dict[str, float]) -> None:
    run = RUNS.get(trainer)
    found: Additions | None = None
    if run is not None:
        found = Additions(run, trainer.step, trainer.epoch)
    elif trainer.loaded_from is not None:
        found = Additions.to_writer_of(trainer.loaded_from)
    if found is not None:
        named = found.evaluated_on("test", {"test": data})
        found.metrics({name + named.ending: value for name, value in results.items()}, split="test")
        found.close()


def wrap(wrappers: Wrappers) -> None:
    wrappers.wrap(Trainer, "fit", _fit)
    wrappers.wrap(Trainer, "steps", _steps)
    wrappers.wrap(Trainer, "evaluate", _evaluate)


WRAPPED = OnDemand(wrap)
