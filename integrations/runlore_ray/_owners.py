"""The experiments and trials that are recorded in this process, by Ray's own objects."""

from typing import Any

from runlore import guest
from runlore.guest.wrapping import ByIdentity


class Known(guest.Part):
    """Knows the experiments and trials that are recorded in this process."""

    def __init__(self) -> None:
        self.experiments: ByIdentity[Any] = ByIdentity()  # Experiment by TuneController
        self.trials: ByIdentity[Any] = ByIdentity()  # TrialRun by Trial


def known() -> Known:
    """Return what is recorded in this process."""
    return guest.part(Known)
