"""The fits and cross-validations that are under way in this context."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runlore.guest.wrapping import Call, Calls


class Unrecorded:
    """A call that goes by a wrapper of ours and makes no run."""

    def end(self, error: BaseException | None) -> None:
        """Leave the end to the user."""


@dataclass(frozen=True, eq=False)
class FitCall:
    """A call of a model's `fit`: the model, and the arguments by name."""

    model: Any
    arguments: Mapping[str, Any]


calls: Calls[Call] = Calls("runlore_catboost")
