"""The run or the file that models come from."""

from typing import Any

from runlore import guest
from runlore.guest.additions import Origins


def origins() -> Origins:
    """Return what this process knows of models."""
    return guest.part(Origins)


def rounds_of(model: Any) -> int:
    """Return how many trees a model has; 0 where it was not trained yet."""
    return int(model.tree_count_ or 0)
