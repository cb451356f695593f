"""The calls of `fit` and `evaluate` that are under way in this context."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from runlore.guest.recorder import Recorder
from runlore.guest.wrapping import Call, Calls


class Fit(Call, Protocol):
    """Records a fit that is under way."""

    def place(self) -> tuple[int | None, int | None]:
        """Return step and epoch of the weights that the model has now."""

    def saved(self, model: Any, path: str) -> None:
        """Record a file that a model was saved to in this fit."""

    def restored(self, *, epoch: int | None = None, path: str | None = None) -> None:
        """Note that the model has the weights of an earlier epoch again, or those of a file."""


class Evaluating(Call, Protocol):
    """Records a call of `evaluate`."""

    def take(self, logs: Mapping[str, Any] | None) -> None:
        """Take the metrics that Keras tells its callbacks at the end of an evaluation."""


class Evaluated(Protocol):
    """The numbers of an evaluation that waits for the fit of its model."""

    def add_to(self, target: Recorder, step: int | None, epoch: float | None = None) -> Any:
        """Record the numbers and the data in a run."""


@dataclass(eq=False)
class FitCall:
    """A call of `fit`: its arguments by name, and what records the fits in it.

    `failed` is called where the call raises before its `on_train_begin`.
    """

    model: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)
    failed: "Callable[[FitCall, BaseException], object] | None" = None
    trainings: list[Fit] = field(default_factory=list)
    has_begun: bool = False
    is_late: bool = False  # it began before Keras was wrapped: only Keras's own handler may see its exception

    def end(self, error: BaseException | None) -> None:
        """End the recorded fits: the call has returned, or raised `error`."""
        if error is not None and not self.has_begun and self.failed is not None:
            self.failed(self, error)
        while self.trainings:
            self.trainings.pop().end(error)


fit_calls: Calls[FitCall] = Calls("runlore_keras_fits")
evaluate_calls: Calls[Evaluating] = Calls("runlore_keras_evaluations")  # those that are recorded


def fit_call_of(model: Any) -> FitCall | None:
    """Return the call of `fit` that is under way for a model, the innermost of several."""
    return next((call for call in fit_calls if call.model is model), None)
