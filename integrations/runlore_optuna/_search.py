"""A study: one run, and a child of it for each trial, in which what the trial trains has runs of its own."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from optuna.trial import TrialState

from runlore import FitSession, guest
from runlore.guest.captured import Captured
from runlore.guest.opening import stand
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import guarded
from runlore_optuna._framework import NAME, retried_by, shared_name
from runlore_optuna._owners import studies
from runlore_optuna._params import attributes_of, begun, is_over, names_of_values, params_of
from runlore_optuna._training import TrialRun

RETRY_OF = "retry_of"


class Search:
    """Records what this process does for a study, in a run that goes on when the study does."""

    def __init__(self, study: Any, options: RunOptions, before: Any) -> None:
        more = {"continues": before, "shared": shared_name(study), "is_new": lambda: not begun(study)}
        self.session = FitSession.begin(NAME, options.request(tags={"study": study.study_name}, **more))
        self.session.pause(returned=False)  # trials are runs of their own
        self.was_stopped = False  # by `study.stop()`
        self._names = names_of_values(study)
        self._tags = {"study": study.study_name}
        self._trials: dict[int, TrialRun] = {}  # that Optuna was told nothing of yet
        self._last: int | None = None  # the last trial that it was told of
        self._count = 0  # of those
        self._callers = 0  # calls of `optimize` under way
        self._study = weakref.ref(study)

    # study.optimize

    @guest.unseen
    def during(self, optimize: Callable[..., Any], study: Any, *args: Any, **kwargs: Any) -> Any:
        """Call `optimize` with an objective and callbacks that tell us of its trials."""
        error: BaseException | None = None
        try:
            with self.session.run.as_parent():
                return optimize(study, *args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._leave(study, error)

    def enter(self, study: Any, named: Mapping[str, Any], optimize: Any) -> None:
        """Note a call of `optimize` with these arguments."""
        with studies().lock:
            self._callers += 1
        self._limits = {name: named.get(name) for name in ("n_trials", "timeout")}
        self._count, self.was_stopped = 0, False
        self.session.params(lambda: params_of(study, named, optimize))

    def objective(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return an objective that records each trial."""

        @guest.unseen
        def recorded(function: Callable[..., Any], trial: Any) -> Any:
            found = self.begin(trial)
            if not found.session:
                return function(trial)
            try:
                with found.session.run.as_parent():
                    return function(trial)
            except BaseException as error:
                found.error = error
                raise

        return guarded(recorded, function)

    def callbacks(self, given: Any) -> Iterable[Any]:
        """Return the callbacks of a call with ours before them."""
        return _Callbacks(self.tell, given)

    def _leave(self, study: Any, error: BaseException | None) -> None:
        with studies().lock:
            self._callers -= 1
            if self._callers:  # another thread goes on
                return
            studies().close(study, self)
        for trial in list(self._trials.values()):
            trial.dropped()
        self._trials.clear()
        self.session.record(lambda session: self._conclude(session, study, error))
        self.session.end(error)

    # Trials

    def begin(self, trial: Any) -> TrialRun:
        """Begin the run of a trial, in whichever thread."""
        with self.session.run.as_parent():
            found = TrialRun(trial.number, self._tags)
        self._trials[found.number] = found
        studies().trials.set(trial, found)
        retried = retried_by(trial)
        if retried:
            found.session.record(lambda session: self._link_retried(session, retried[-1]))
        return found

    def _link_retried(self, session: FitSession, number: int) -> None:
        """Link a trial to the one that it is a retry of, whichever process that died in."""
        asked = f"parent == {self.session.run.id!r} and tags.trial == {str(number)!r}"
        for run in session.store.runs(asked, limit=1):
            session.link(RETRY_OF, run.id)

    @guest.harmless
    def tell(self, study: Any, trial: Any) -> None:
        """Record the outcome of a trial, a FrozenTrial."""
        found = self._trials.pop(trial.number, None)
        if found is None or not is_over(trial):
            return
        found.told(trial, self._names)
        self._last = trial.number if self._last is None else max(self._last, trial.number)
        self._count += 1
        if trial.state is TrialState.COMPLETE:
            self.session.metrics(dict(zip(self._names, trial.values, strict=False)), step=trial.number)

    def add(self, study: Any, trial: Any) -> None:
        """Record a trial that is over, of which nobody has told us before."""
        if trial.number not in self._trials:
            self.begin(trial)
        self.tell(study, trial)

    # study.ask and study.tell

    def asked(self, trial: Any) -> None:
        """Begin the run of a trial that a user has asked for: what is trained until it is told belongs to it."""
        found = self.begin(trial)
        found.suggested(trial.params)
        self._stand()

    def was_told(self, study: Any, trial: Any) -> None:
        """Record the outcome of a trial that a user has told."""
        self.tell(study, trial)
        self._stand()

    def _stand(self) -> None:
        """Let fits in this context be below the trial that is open, below the study where several are."""
        waiting = [trial.session.run for trial in self._trials.values() if trial.session]
        for run in (self.session.run, *waiting):
            stand(run, False)
        if waiting and self.session:
            stand(waiting[0] if len(waiting) == 1 else self.session.run, True)
        self.session.pause(returned=not self._trials)

    def let_go(self) -> None:
        """End the run of a study that nobody holds any more."""
        studies().forget_dropped(self)
        if not self._trials:
            self.session.end()

    def conclude_at_exit(self) -> None:
        """Write what is known, and leave the end to the process."""
        study = self._study()
        if study is not None:
            self.session.record(lambda session: _record_best(session, study))

    # The end

    def _conclude(self, session: FitSession, study: Any, error: BaseException | None) -> None:
        _record_best(session, study)
        why = self._why_stopped() if error is None else None
        if why is not None:
            session.stopped(why, step=self._last)

    def _why_stopped(self) -> str | None:
        limit, timeout = self._limits["n_trials"], self._limits["timeout"]
        if self.was_stopped:
            return "study.stop() was called"
        if limit is not None and self._count < limit and timeout is not None:
            return f"the timeout of {timeout:g} s has passed"
        return None


def _record_best(session: FitSession, study: Any) -> None:
    """Record the best trial of a study, those that no other one beats where it has several objectives, and counts."""
    trials = study.get_trials(deepcopy=False)
    counts = {state.name.lower(): sum(trial.state is state for trial in trials) for state in TrialState}
    session.summary({f"trials.{name}": count for name, count in counts.items() if count})
    session.run.set_tags(attributes_of(study))
    if not counts["complete"]:
        return
    if len(study.directions) > 1:
        session.params({"best": Captured({"trials": [trial.number for trial in study.best_trials]})})
        return
    try:
        best = study.best_trial
    except ValueError:  # which Optuna raises where the constraints leave none
        session.missing("best", "no trial meets the constraints")
        return
    session.params({"best": Captured({**best.params, "trial": best.number})})
    session.summary({"best_value": best.value})


class _Callbacks:
    """Callbacks with one before them; those of the user are iterated anew each time, as Optuna does."""

    def __init__(self, first: Callable[..., Any], others: Any) -> None:
        self._first = first
        self._others = others

    def __iter__(self) -> Iterator[Any]:
        yield self._first
        if self._others is not None:
            yield from self._others


def search_of(study: Any, options: RunOptions) -> Search:
    """Return what records a study, made now where nothing does."""
    return studies().opened(study, lambda before: Search(study, options, before))


def asked_search_of(study: Any, options: RunOptions) -> Search:
    """Return what records a study whose trials are asked for, until nobody holds it any more."""
    known = studies().of(study)
    found = known or search_of(study, options)
    if known is None:
        found.session.params(lambda: params_of(study, {}, None))
        weakref.finalize(study, found.let_go).atexit = False
    return found
