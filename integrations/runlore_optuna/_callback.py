"""The callback that users hand to `study.optimize`."""

from typing import Any

from runlore import guest
from runlore.guest.options import TakesOptions
from runlore_optuna._owners import studies
from runlore_optuna._search import asked_search_of


class RunloreCallback(TakesOptions):
    """Records the studies that it is given to: `study.optimize(…, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the study's run, `store` is the place for it. Called by hand with a
    study and a trial that was told, it records that trial.
    """

    def __call__(self, study: Any, trial: Any) -> None:
        """Record a trial that is over; within an `optimize` that is recorded it is on record already."""
        self._record(study, trial)

    @guest.harmless
    def _record(self, study: Any, trial: Any) -> None:
        if not studies().busy.get(study) and not guest.in_fit():
            asked_search_of(study, self.options).add(study, trial)


RunloreCallback.__module__ = "runlore_optuna"
