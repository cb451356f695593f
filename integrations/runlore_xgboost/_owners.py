"""The run or the file that boosters and estimators come from."""

from typing import Any

import xgboost

from runlore import guest
from runlore.guest.additions import Additions, Origins
from runlore.guest.wrapping import ByIdentity
from runlore_xgboost._calls import Fit


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


def additions_of(booster: Any) -> Additions | None:
    """Return additions to the run that made a booster, at its last iteration; None where none did."""
    rounds = rounds_of(booster)
    run = origins().run_of(booster, rounds)
    return None if run is None else Additions(run, rounds - 1)


def maker_of(model: Any) -> tuple[Any, int]:
    """Return the run that made a booster, or the bytes of one, and how many iterations it had; None where none did."""
    if isinstance(model, xgboost.Booster):
        return origins().run_of(model, rounds_of(model)), rounds_of(model)
    run, rounds = origins().written_by(model) if isinstance(model, bytearray) else (None, None)
    return run, rounds or 0


def rounds_of(booster: Any) -> int:
    """Return how many iterations a booster has made; 0 where it has made none yet."""
    try:
        return int(booster.num_boosted_rounds())
    except xgboost.core.XGBoostError:  # a booster that was given nothing yet
        return 0
