"""The run or the file that boosters and estimators come from."""

from typing import Any

from runlore import guest
from runlore.guest.additions import Origins
from runlore.guest.wrapping import ByIdentity
from runlore_lightgbm._calls import Fit


class Trained(guest.Part):
    """Holds what records the trainings under way, by booster."""

    inherited = True

    def __init__(self) -> None:
        self.fits: ByIdentity[Fit] = ByIdentity()


def trained() -> ByIdentity[Fit]:
    """Return the trainings under way, by booster."""
    return guest.part(Trained).fits


def origins() -> Origins:
    """Return what this process knows of models."""
    return guest.part(Origins)


def rounds_of(booster: Any) -> int:
    """Return how many iterations a booster has made."""
    return int(booster.current_iteration())
