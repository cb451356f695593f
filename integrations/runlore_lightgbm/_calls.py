"""The calls of `train` and `cv` that are under way in this context."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runlore.guest.wrapping import Call, Calls


class Fit(Call, Protocol):
    """Records a call that is under way."""

    def evaluated(self, booster: Any, results: Sequence[Any]) -> None:
        """Take what a booster of a cross-validation was evaluated to."""

    def saved(self, path: str, step: int) -> None:
        """Record a file that the model was saved to in this call."""


class Unrecorded:
    """A call that goes by a wrapper of ours and makes no run."""

    def evaluated(self, booster: Any, results: Sequence[Any]) -> None:
        """Leave the results to the user."""

    def saved(self, path: str, step: int) -> None:
        """Leave the file to the user."""

    def end(self, error: BaseException | None) -> None:
        """Leave the end to the user."""


@dataclass(frozen=True, eq=False)
class TrainCall:
    """A call of `train` or `cv`: its arguments by name, and the names in the fit of an estimator that made it."""

    name: str
    arguments: Mapping[str, Any]
    fit: Mapping[str, Any] | None = None

    @property
    def estimator(self) -> Any:
        """The estimator whose fit this is; None where there is none."""
        return None if self.fit is None else self.fit["self"]

    @property
    def is_cv(self) -> bool:
        """True for a cross-validation."""
        return self.name == "cv"


calls: Calls[Fit] = Calls("runlore_lightgbm")
