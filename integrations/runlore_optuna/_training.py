"""One trial as a run below that of its study, from its beginning until Optuna is told of its outcome."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import TrialState

from runlore import FitSession, guest
from runlore_optuna._framework import NAME
from runlore_optuna._params import attributes_of, constraints_of, distributions_of, origin_of

UNTOLD = (
    "the trial was told to have failed, or no value that Optuna takes: None, NaN, or another number of values than the "
    "study has objectives"
)


class TrialRun:
    """Records a trial."""

    def __init__(self, number: int, tags: Mapping[str, Any]) -> None:
        self.number = number
        self.error: BaseException | None = None
        self.session = FitSession.begin(NAME, guest.FitRequest(name=f"trial-{number}", tags={**tags, "trial": number}))
        self.session.pause(returned=False)  # what it trains are runs of their own
        self.session.run.run_log.seals = False  # a reader does it: trials may be quick, and thousands
        self._steps: list[int] = []  # that have an intermediate value
        self._params: set[str] = set()
        self._lock = threading.Lock()
        self.session.place = lambda: (self._steps[-1] if self._steps else None, None)

    def suggested(self, params: Mapping[str, Any]) -> None:
        """Record params as soon as the trial has them."""
        new = {name: value for name, value in params.items() if name not in self._params}
        if new:
            self._params.update(new)
            self.session.params(new)

    def reported(self, value: Any, step: Any) -> None:
        """Record an intermediate value; Optuna keeps the first one of a step."""
        if step not in self._steps:
            self._steps.append(step)
            self.session.metrics({"intermediate_value": value}, step=step)

    def told(self, trial: Any, names: Sequence[str]) -> None:
        """Record the outcome of a trial, a FrozenTrial, and end its run. A second call does nothing."""
        if self._lock.acquire(blocking=False):
            try:
                self.session.record(lambda session: self._conclude(session, trial, names))
            finally:
                self._end(trial.state)

    def dropped(self) -> None:
        """End the run of a trial that Optuna was told nothing of that we know: it was left by an exception."""
        if self._lock.acquire(blocking=False):
            self.session.run.set_tags({"state": TrialState.FAIL.name})
            self._end(TrialState.FAIL)

    def _conclude(self, session: FitSession, trial: Any, names: Sequence[str]) -> None:
        self.suggested(trial.params)
        session.params(distributions_of(trial.distributions))
        for step, value in trial.intermediate_values.items():  # reported by another process
            self.reported(value, step)
        if trial.state is TrialState.COMPLETE:
            step = self._steps[-1] if self._steps else 0
            session.metrics(dict(zip(names, trial.values, strict=False)) | constraints_of(trial), step=step)
        session.run.set_tags({"state": trial.state.name, **origin_of(trial), **attributes_of(trial)})

    def _end(self, state: TrialState) -> None:
        error, self.error = self.error, None
        session = self.session
        if state is TrialState.PRUNED and guest.why_pruned(error) is None:  # told so
            session.stopped("pruned", step=self._steps[-1] if self._steps else None)
            error = None
        elif state is TrialState.FAIL and error is None and session:
            session.missing("values", UNTOLD)
            session.run.finish("failed")
        session.end(error if state is not TrialState.COMPLETE else None)
