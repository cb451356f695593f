"""The calls of `fit` and `evaluate` that are under way in this context."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras

from runlore import guest
from runlore.guest.additions import Place
from runlore.guest.recorder import Recorder
from runlore.guest.wrapping import Call, Calls, arguments
from runlore_keras._framework import call_under_way


class Fit(Call, Protocol):
    """Records a fit that is under way."""

    def place(self) -> Place:
        """Return step and epoch of the weights that the model has now."""

    def saved(self, model: Any, path: str) -> None:
        """Record a file that a model was saved to in this fit."""

    def restored(self, *, epoch: int | None = None, path: str | None = None, at: Place | None = None) -> None:
        """Note that the model has the weights of an earlier epoch or place again, or those of a file."""


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


class Late(guest.Part):
    """The calls of `fit` under way that began before Keras was wrapped, with their frames."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, FitCall]] = []

    def drop(self, model: Any) -> None:
        """Forget the calls of a model, which return."""
        self.calls[:] = [item for item in self.calls if item[1].model is not model]

    def end(self) -> None:
        """End with the process."""
        self.calls.clear()


def late_call(model: Any) -> FitCall | None:
    """Return a call of `fit` that names our callback first, and so began before Keras was wrapped."""
    found = call_under_way(model)
    if found is None or not keras.config.is_traceback_filtering_enabled():
        return None
    frame, args, kwargs = found
    call = FitCall(model, arguments(keras.Model.fit, *args, **kwargs), has_begun=True, is_late=True)
    guest.part(Late).calls.append((frame, call))
    return call


@guest.harmless
def end_late(error: BaseException | None) -> None:
    """End the late call that an exception leaves, whose frames are in its traceback."""
    calls = guest.part(Late).calls
    if not calls or error is None:
        return
    frames, step = set(), error.__traceback__
    while step is not None:
        frames.add(id(step.tb_frame))
        step = step.tb_next
    for frame, call in list(calls):
        if id(frame) in frames:
            calls.remove((frame, call))
            call.end(error)
