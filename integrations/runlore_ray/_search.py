"""An experiment of Tune: one run, and below it one for each trial."""

import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.result import DONE
from ray.tune.schedulers import FIFOScheduler
from ray.tune.utils.util import flatten_dict

from runlore import FitSession, guest
from runlore.guest.captured import Captured
from runlore.guest.opening import SHARED
from runlore.guest.options import RunOptions
from runlore_ray._framework import NAME, named
from runlore_ray._owners import known
from runlore_ray._params import name_of, params_of
from runlore_ray._training import TrialRun
from runlore_ray._workers import told_of, trainable_at_work


class Experiment:
    """Records an experiment, in the process that drives it. `made_of` holds what its controller was made of."""

    def __init__(self, controller: Any, made_of: Mapping[str, Any], options: RunOptions) -> None:
        self._controller = weakref.ref(controller)  # which holds the workers
        self._made_of = made_of
        self._resumed = bool(controller.resumed)
        place = named(made_of["storage"])
        self._tags = {"study": made_of["storage"].experiment_dir_name}
        tags = self._tags if self._resumed else {**self._tags, SHARED: place}
        request = options.request(tags=tags, shared=place if self._resumed else None)
        self.session = FitSession.begin(NAME, request)
        self._trials: dict[str, TrialRun] = {}
        self._sent: dict[Any, Any] = {}  # by the class of the user's
        self._asked: Mapping[str, Any] = {}
        self._last: int | None = None  # trial that has added to its curve
        self._is_whole = True  # all trials have come to an end by themselves
        self._at_end: list[Any] = []  # the trials as the controller tidies up, which may be gone once the call returns
        self._block = ExitStack()
        self.session.pause(returned=False)

    def asked_for(self, run: Callable[..., Any] | None, arguments: Mapping[str, Any]) -> None:
        """Record the arguments of the call that it belongs to, and ends with; None where nobody has seen it."""
        self._asked = arguments
        if run is not None:
            self._block.enter_context(self.session.children(search=True))
        parts = {
            name: self._made_of[name] for name in ("search_alg", "scheduler", "stopper") if self._made_of.get(name)
        }
        self.session.params(lambda: params_of(arguments, run, parts))

    def sent(self, trainable: Any) -> Any:
        """Return the class that is sent to workers in place of the user's."""
        if trainable not in self._sent:
            self._sent[trainable] = trainable_at_work(trainable, told_of(self.session))
        return self._sent[trainable]

    # Its trials

    def run_of(self, trial: Any) -> TrialRun:
        """Return the run of a trial, begun now where it has none."""
        found = self._trials.get(trial.trial_id)
        if found is None:
            with self.session.run.as_parent() if self.session else guest.unrecorded():
                found = self._trials[trial.trial_id] = TrialRun(trial, self._tags, goes_on=self._resumed)
            known().trials.set(trial, found)
        return found

    def told(self, trial: Any, result: Mapping[str, Any]) -> None:
        """Record a result of a trial."""
        found = self.run_of(trial)
        found.told(result, self._why_stopped(trial, result, found))

    def completed(self, trial: Any) -> None:
        """End a trial that is over, or that the scheduler has stopped while it waited."""
        found = self.run_of(trial)
        if not (trial.last_result or {}).get(DONE):
            found.stopped_by = f"ended by {name_of(self._made_of.get('scheduler'))}"
        found.ended(Trial.TERMINATED)
        self._add_point(trial)

    def _why_stopped(self, trial: Any, result: Mapping[str, Any], found: TrialRun) -> str | None:
        """Return what ends a trial with a result before its time; None where it goes on, or ends by itself."""
        if not result.get(DONE) or found.says_done or trial.should_stop({**flatten_dict(dict(result)), DONE: False}):
            return None
        return f"ended by {' or '.join(self._judges)}"

    @property
    def _judges(self) -> list[str]:
        """The parts of the experiment that may end a trial before its time."""
        scheduler, stopper = self._made_of.get("scheduler"), self._made_of.get("stopper")
        return [name_of(part) for part in (scheduler, stopper) if part is not None and type(part) is not FIFOScheduler]

    def _add_point(self, trial: Any) -> None:
        """Record what a trial has come to, at the step of its number."""
        metric = self._asked.get("metric")
        number = str(trial.trial_id).rpartition("_")[2]
        if metric is not None and number.isdecimal() and metric in (trial.last_result or {}):
            self._last = max(int(number), self._last or 0)
            self.session.metrics({metric: trial.last_result[metric]}, step=int(number))

    # Its end

    def concluded(self) -> None:
        """Note that the controller tidies up, whether trials are left or not."""
        controller = self._controller()
        self._is_whole = controller is None or controller.is_finished()
        self._at_end = [] if controller is None else list(controller.get_trials())

    def end(self, error: BaseException | None) -> None:
        """End the run, and those of trials that are left."""
        is_interrupted = error is None and not self._is_whole
        left = [trial_id for trial_id, found in self._trials.items() if not found.is_over]
        why = None if error is not None or is_interrupted else self._why_ended()
        for trial_id in left:
            self._trials[trial_id].cut_off(why)
        if left and why is not None:
            for trial in self._all_trials():
                if trial.trial_id in left:
                    self._add_point(trial)
            self.session.stopped(why, step=self._last)
        self.session.record(self._conclude)
        self._block.close()
        self.session.end(error, interrupted=is_interrupted)

    def _why_ended(self) -> str:
        if self._made_of.get("fail_fast"):
            return "another trial has failed"
        stopper = self._made_of.get("stopper")
        return "ended by its user" if stopper is None else f"ended by {name_of(stopper)}"

    def _all_trials(self) -> list[Any]:
        controller = self._controller()
        return self._at_end if controller is None else list(controller.get_trials())

    def _conclude(self, session: FitSession) -> None:
        """Record the best trial, by the metric that was asked for, and counts."""
        trials = self._all_trials()
        states = Counter(trial.status for trial in trials)
        known = {Trial.TERMINATED, Trial.ERROR, *states}  # an experiment that goes on may have none of what it had
        session.summary({f"trials.{state.lower()}": states[state] for state in known})
        metric, mode = self._asked.get("metric"), self._asked.get("mode")
        told = [trial for trial in trials if metric in (trial.last_result or {})]
        if not told or mode not in ("min", "max"):
            return
        best = (min if mode == "min" else max)(told, key=lambda trial: trial.last_result[metric])
        session.params({"best": Captured({**best.evaluated_params, "trial": best.trial_id})})
        session.summary({"best_value": best.last_result[metric]})
