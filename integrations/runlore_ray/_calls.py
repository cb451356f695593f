"""The calls of `tune.run`, which `Tuner.fit` makes, too, and of a trainer's `fit` that are under way here."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from runlore import FitSession, guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import Call, Calls
from runlore_ray._framework import NAME


class Recorded(Call, Protocol):
    """Records an experiment."""

    session: FitSession

    def sent(self, trainable: Any) -> Any:
        """Return the class that is sent to workers in place of the user's."""


class TuneCall:
    """A call of `tune.run`: what it was given, and what records the experiment that it has begun."""

    def __init__(self, options: RunOptions, run: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        self.options = options
        self.run = run
        self.arguments = arguments
        self.experiment: Recorded | None = None

    def end(self, error: BaseException | None) -> None:
        """End the experiment: the call has returned, or raised `error`."""
        if self.experiment is not None:
            self.experiment.end(error)
        elif error is not None and not guest.in_fit():  # it was refused before it began
            FitSession.begin(NAME, self.options.request()).end(error)


tunings: Calls[TuneCall] = Calls("runlore_ray.tune")
trainings: Calls[Any] = Calls("runlore_ray.train")


def wanted(callbacks: Any) -> RunOptions | None:
    """Return the options for the run of a call with these callbacks; None where it is not to be recorded."""
    if guest.in_fit() or guest.in_search():
        return None
    ours: Any = sys.modules.get("runlore_ray._callback")
    given = callbacks if ours is not None and isinstance(callbacks, list | tuple) else ()
    return RunOptions.wanted(given, ours and ours.RunloreCallback, autolog=NAME in guest.autologged())
