"""The calls of `train` and `cv` that are under way in this context."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from runlore.guest.wrapping import Call, Calls


class Fit(Call, Protocol):
    """Records a call that is under way."""

    model: Any  # that is trained, as far as it is known

    def saved(self, path: str) -> None:
        """Record a file that the model was saved to in this call."""


@dataclass(eq=False)
class TrainCall:
    """A call of `train` or `cv`: its arguments by name, and what records it.

    `fit` are the names in the fit of an estimator that made it. `failed` is called where the call raises before its
    callbacks are told that it begins.
    """

    name: str
    arguments: Mapping[str, Any]
    fit: Mapping[str, Any] | None = None
    failed: "Callable[[TrainCall, BaseException], object] | None" = None
    training: Fit | None = field(default=None, repr=False)
    has_begun: bool = False

    @property
    def estimator(self) -> Any:
        """The estimator whose fit this is; None where there is none."""
        return None if self.fit is None else self.fit["self"]

    @property
    def is_cv(self) -> bool:
        """True for a cross-validation."""
        return self.name == "cv"

    def end(self, error: BaseException | None) -> None:
        """End the record: the call has returned, or raised `error`."""
        if error is not None and not self.has_begun and self.failed is not None:
            self.failed(self, error)
        training, self.training = self.training, None
        if training is not None:
            training.end(error)


calls: Calls[TrainCall] = Calls("runlore_xgboost")
