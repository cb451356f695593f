"""One trial as a run below that of its experiment, from its first start to its end, however often it fails or waits."""

from collections.abc import Mapping
from typing import Any

from ray.tune.experiment import Trial

from runlore import FitSession, guest
from runlore.guest.captured import is_default
from runlore.guest.opening import SHARED
from runlore_ray._endings import error_of
from runlore_ray._framework import NAME, local_path, named
from runlore_ray._params import iteration_of, metrics_of


class TrialRun:
    """Records a trial, in the process that drives the experiment: workers only tell it their results."""

    def __init__(self, trial: Any, tags: Mapping[str, Any], *, goes_on: bool) -> None:
        place = named(trial.storage, trial.trial_id)
        tags = {**tags, "trial": trial.trial_id, **({} if goes_on else {SHARED: place})}
        request = guest.FitRequest(name=str(trial), tags=tags, shared=place if goes_on else None)
        self.session = FitSession.begin(NAME, request)
        self.session.pause(returned=False)  # what it trains are runs of their own
        self.session.run.run_log.seals = False  # a reader does it: trials may be quick, and thousands
        self.last = 0  # iteration that was told
        self.is_over = False
        self._resumes = self.session.run.run_log.mode == "resume"
        self._config: Mapping[str, Any] = {}
        self._since = 0  # iteration from which it has this config
        self._donor: tuple[str, int] | None = None  # whose weights it goes on with: the run, and the iteration
        self._failures = 0
        self.says_done = False  # its own code says with a result that it is over
        self.stopped_by: str | None = None  # what lets it end before its time

    # Its course

    def started(self, trial: Any) -> None:
        """Note that it begins, or goes on from its last checkpoint: what came behind that is trained again."""
        checkpoint = trial.latest_checkpoint_result
        begins = iteration_of(checkpoint.metrics) if checkpoint is not None else 0
        if begins < self.last or self._resumes:
            self.session.rewind(begins)
        self.last, self._resumes = begins, False
        if self._donor is not None:
            run_id, step = self._donor
            self.session.link("resumed_from", run_id, step=step)
            self._donor = None
        self._note_config(trial.config, begins)

    def exploits(self, donor: "TrialRun", step: int) -> None:
        """Note that it is to go on with the weights that another trial had at a step."""
        if donor.session:
            self._donor = donor.session.run.id, step

    def told(self, result: Mapping[str, Any], stopped_by: str | None) -> None:
        """Record a result; `stopped_by` names what lets the trial end with it before its time."""
        self.last = iteration_of(result)
        self.stopped_by = stopped_by
        self.session.metrics(metrics_of(result), step=self.last)

    def saved(self, trial: Any) -> None:
        """Record the checkpoint that it has saved last."""
        manager = trial.run_metadata.checkpoint_manager
        latest, best = manager.latest_checkpoint_result, manager.best_checkpoint_result
        if latest is None or latest.checkpoint is None:
            return
        score = manager.checkpoint_config.checkpoint_score_attribute
        is_best = score is not None and best is latest
        self.session.checkpoint(
            local_path(latest.checkpoint),
            step=iteration_of(latest.metrics),
            monitor=score,
            value=None if score is None else latest.metrics.get(score),
            roles=("best", "last") if is_best else ("last",),
        )
        self.session.check_removed()

    def failed(self, trial: Any) -> None:
        """Note a failure after which it is tried again."""
        self._failures += 1
        error = error_of(trial)
        told = f"failed after iteration {self.last}: {type(error).__name__}: {error}"
        self.session.record(lambda session: session.run.note(told))
        self.session.run.set_tags({"failures": self._failures})

    # Its end

    def ended(self, state: str) -> None:
        """End its run: it has come to its end, or was stopped."""
        if self.stopped_by is not None:
            self.session.stopped(self.stopped_by, step=self.last)
        self._end(state)

    def broke(self, trial: Any) -> None:
        """End its run with the exception that its code has raised."""
        self._end(Trial.ERROR, error_of(trial))

    def cut_off(self, why: str | None) -> None:
        """End its run with the experiment: stopped for a reason, interrupted where there is none."""
        if why is not None:
            self.stopped_by = why
            self.ended(Trial.TERMINATED)
        else:
            self.is_over = True
            self.session.end(interrupted=True)

    def _end(self, state: str, error: BaseException | None = None) -> None:
        if not self.is_over:
            self.is_over = True
            self.session.run.set_tags({"state": state})
            self.session.end(error)

    def _note_config(self, config: Mapping[str, Any], step: int) -> None:
        """Record its params; numbers among them that are changed on its way are curves, too."""
        known = self._config
        new = {name: value for name, value in config.items() if name not in known or not is_default(value, known[name])}
        self.session.params(new)
        if known:
            numbers = [name for name, value in new.items() if type(value) in (int, float) and name in known]
            self.session.metrics({f"config.{name}": known[name] for name in numbers}, step=self._since)
            self.session.metrics({f"config.{name}": new[name] for name in numbers}, step=step)
        self._config, self._since = dict(config), step
