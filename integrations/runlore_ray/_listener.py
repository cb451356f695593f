"""The callback that Tune tells of an experiment: behind the user's, in a list of its own."""

from typing import Any

from ray.tune import Callback

from runlore import guest
from runlore_ray._search import Experiment


class Listener(Callback):
    """Hands on what Tune tells its callbacks, once it knows the experiment."""

    experiment: Experiment | None = None

    @guest.harmless
    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Begin the run of a trial, or go on with it."""
        if self.experiment is not None:
            self.experiment.run_of(trial).started(trial)

    @guest.harmless
    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        """Record what a trial has reported."""
        if self.experiment is not None:
            self.experiment.told(trial, result)

    @guest.harmless
    def on_trial_save(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Record a checkpoint."""
        if self.experiment is not None:
            self.experiment.run_of(trial).saved(trial)

    @guest.harmless
    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Note that a trial has failed and is tried again."""
        if self.experiment is not None:
            self.experiment.run_of(trial).failed(trial)

    @guest.harmless
    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """End the run of a trial that has failed."""
        if self.experiment is not None:
            self.experiment.run_of(trial).broke(trial)

    @guest.harmless
    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """End the run of a trial that is over."""
        if self.experiment is not None:
            self.experiment.completed(trial)
