"""The fits and evaluations of Trainers that are under way, also those that were left without a word."""

from typing import Any, Protocol
from weakref import WeakKeyDictionary

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore.guest.session import Beside

Target = Additions | FitSession | Beside  # a session where no run is known to have made the weights


class Trained(Protocol):
    """The record of a fit."""

    session: FitSession
    has_begun: bool  # an epoch has


class Fit(Protocol):
    """A fit whose trainer is tapped."""

    ending: guest.Leaving
    giving: bool  # True while the trainer gives metrics to its loggers

    @property
    def training(self) -> Trained:
        """The record."""

    def leave(self) -> None:
        """Close a fit that nobody ended."""


class Evaluating(Protocol):
    """A test or validation whose trainer is tapped."""

    giving: bool

    def target(self) -> Target | None:
        """Return what takes the numbers; None once the evaluation is over."""

    def close(self) -> None:
        """End the evaluation."""


class UnderWay(guest.Part):
    """Finds the fit of a trainer or a module, and the evaluation of a trainer."""

    inherited = True

    def __init__(self) -> None:
        self.fits: WeakKeyDictionary[Any, Fit] = WeakKeyDictionary()
        self.evaluations: WeakKeyDictionary[Any, Evaluating] = WeakKeyDictionary()

    def drop(self, over: Fit | Evaluating) -> None:
        """Forget what is over; something newer may have begun for its trainer."""
        registries: list[WeakKeyDictionary[Any, Any]] = [self.fits, self.evaluations]
        for registry in registries:
            for item in [item for item, begun in list(registry.items()) if begun is over]:
                del registry[item]


def fit_under_way(item: Any) -> Fit | None:
    """Return the recorded fit that a trainer or a module is in, or was left in without a word."""
    return guest.part(UnderWay).fits.get(item)


def evaluation_under_way(trainer: Any) -> Evaluating | None:
    """Return the recorded test or validation that a trainer is in, or was left in without a word."""
    return guest.part(UnderWay).evaluations.get(trainer)


def is_under_way(trainer: Any) -> bool:
    """Return True if a trainer is in a recorded fit or evaluation, or was left in one."""
    return fit_under_way(trainer) is not None or evaluation_under_way(trainer) is not None


def end_left(trainer: Any) -> None:
    """End the fit or evaluation that an exception left without a word; called where something new begins."""
    fit, evaluation = fit_under_way(trainer), evaluation_under_way(trainer)
    if fit is not None:
        fit.leave()
    if evaluation is not None:
        evaluation.close()
