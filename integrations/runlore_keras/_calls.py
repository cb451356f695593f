"""The calls of `fit` and `evaluate` that are under way in this context."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from runlore.guest.wrapping import Call, Calls


class Fit(Call, Protocol):
    """Records a fit that is under way."""

    def saved(self, model: Any, path: str) -> None:
        """Record a file that a model was saved to in this fit."""


class Evaluated(Call, Protocol):
    """Records a call of `evaluate`."""

    def take(self, logs: Mapping[str, Any] | None) -> None:
        """Take the metrics that Keras tells its callbacks at the end of an evaluation."""


@dataclass(eq=False)
class FitCall:
    """A call of `fit`: its arguments by name, and what records the fits in it."""

    model: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)
    trainings: list[Fit] = field(default_factory=list)

    def end(self, error: BaseException | None) -> None:
        """End the recorded fits: the call has returned, or raised `error`."""
        while self.trainings:
            self.trainings.pop().end(error)


fit_calls: Calls[FitCall] = Calls("runlore_keras_fits")
evaluate_calls: Calls[Evaluated] = Calls("runlore_keras_evaluations")  # those that are recorded


def fit_call_of(model: Any) -> FitCall | None:
    """Return the call of `fit` that is under way for a model, the innermost of several."""
    return next((call for call in fit_calls if call.model is model), None)
