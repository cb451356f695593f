"""One call of `train` or `cv`: from where its callbacks are told that it begins until it is over."""

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from xgboost.callback import EarlyStopping, LearningRateScheduler, TrainingCallback

from runlore import FitSession, guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import guarded
from runlore_xgboost import _params
from runlore_xgboost._calls import TrainCall
from runlore_xgboost._checkpoints import lineage
from runlore_xgboost._data import record_data
from runlore_xgboost._framework import NAME, folds_of, leads
from runlore_xgboost._metrics import Curves, parsed, rate_of, record_importances
from runlore_xgboost._owners import maker_of, origins, rounds_of, trained


class Listener(TrainingCallback):
    """Hears of the iterations of one training, as the first: a point is on disk before others save or fail."""

    def __init__(self, training: "Training") -> None:
        super().__init__()
        self.training = training

    @guest.harmless
    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Record the numbers of an iteration."""
        self.training.take(model, epoch, evals_log)
        return False


class Training:
    """Records one call into a session: its own, or that of the estimator's fit, which another integration records."""

    def __init__(self, session: FitSession, call: TrainCall, callbacks: list[Any], *, is_own: bool) -> None:
        self.session = session
        self.model: Any = None
        self._call = call
        self._callbacks = callbacks
        self._is_own = is_own
        self._before = 0  # iterations of the model that it goes on from
        self._done = 0
        self._curves = Curves()
        self._given: Mapping[str, Any] = {}
        self._folds: dict[int, dict[str, list[float]]] = {}  # the numbers of each fold of a cross-validation

    @classmethod
    def begin(cls, model: Any, callbacks: list[Any], call: TrainCall, options: RunOptions) -> "Training | None":
        """Begin to record a call; None where it is not to be recorded."""
        outer = None if call.estimator is None else guest.fit_of(call.estimator, NAME)
        if outer is not None:
            options.count_in(outer)
        session = begin_session(call, options) if outer is None else outer
        if not session:
            return None
        training = cls(session, call, callbacks, is_own=outer is None)
        try:
            training._describe(model)
        except BaseException as error:  # Ctrl-C while the data is read
            training.end(error)
            raise
        return training

    def _describe(self, model: Any) -> None:
        self.model = model
        self._before = rounds_of(model)
        self.session.place = self._place
        if folds_of(model):
            for number, fold in enumerate(folds_of(model)):
                fold.eval = guarded(partial(self._evaluate, number), fold.eval)
        else:
            trained().set(model, self)
        self.session.params(lambda: _params.of_callbacks(self._callbacks))
        if self._is_own:
            self.session.params(self._params)
            record_data(self.session, self._call)

    def _params(self) -> Mapping[str, Any]:
        self._given = _params.of_call(self._call)
        return self._given

    def _place(self) -> tuple[int | None, float | None]:
        return self._before + self._done - 1 if self._done else None, None

    def _evaluate(self, number: int, evaluate: Callable[..., str], *args: Any, **kwargs: Any) -> str:
        """Let a fold be evaluated, and note the numbers."""
        line = evaluate(*args, **kwargs)
        found = self._folds.setdefault(number, {})
        for key, value in parsed(line):
            found.setdefault(key, []).append(value)
        return line

    def take(self, model: Any, epoch: int, evals_log: Mapping[str, Any]) -> None:
        """Record the numbers of an iteration; the first one has settled what the params mean."""
        self._done += 1
        numbers = self._curves.newest(evals_log)
        if any(isinstance(item, LearningRateScheduler) for item in self._callbacks):
            numbers |= rate_of(folds_of(model)[0].bst if folds_of(model) else model)
        if numbers:
            self.session.metrics(numbers, step=self._before + epoch)
        if self._done == 1:
            self.session.record(lambda session: session.params(lambda: self._resolved(model)))

    def _resolved(self, model: Any) -> Mapping[str, Any]:
        folds = folds_of(model)
        return _params.resolved(folds[0].bst if folds else model, self._given or _params.of_call(self._call))

    def settle(self, model: Any) -> None:
        """Take the model that the callbacks return in the end: early stopping may have cut off iterations."""
        if self.model is not None and model is not self.model:
            trained().pop(self.model)
            self.model = model

    def saved(self, path: str) -> None:
        """Record a file that the model was saved to, and those that a user's callback has removed meanwhile."""
        self.session.check_removed()
        self.session.checkpoint(path, step=rounds_of(self.model) - 1)

    def end(self, error: BaseException | None, *, left: bool = False) -> None:
        """End the record. A call is `left` by an exception that runlore does not see; a second call does nothing."""
        model, self.model = self.model, None
        if model is None:
            return
        trained().pop(model)
        try:
            if error is None and not left:
                self.session.record(lambda session: self._conclude(session, model))
        finally:  # also when Ctrl-C comes meanwhile
            self._callbacks = []
            if left:
                error = RuntimeError("the training was left by an exception that runlore was not told of")
            if self._is_own:
                self.session.end(error)

    def _conclude(self, session: FitSession, model: Any) -> None:
        stoppers = [item for item in self._callbacks if isinstance(item, EarlyStopping)]
        if stoppers and self._done:
            session.summary({"best_iteration": int(model.best_iteration), "best_score": float(model.best_score)})
        planned = self._call.arguments.get("num_boost_round")
        if isinstance(planned, int) and self._done < planned:
            session.stopped(_why(stoppers), step=self._place()[0])
        if self._done and not self._curves:
            session.missing("metrics", "nothing was evaluated: that takes evals, or an eval_set, and a metric")
        for number, points in sorted(self._folds.items()):
            session.child(f"fold-{number}", params={}, points=points, tags={})
        if not folds_of(model):
            origins().note_made(model, session.run, rounds_of(model))
            if self._call.estimator is not None and self._is_own:
                origins().note_made(self._call.estimator, session.run)
            session.record(lambda session: record_importances(session, model))

    def watch(self, container: Any) -> None:
        """End the record when the callbacks of the call are gone: nothing else tells of an exception that leaves it.

        That may be never, so other trainings that begin meanwhile are runs of their own.
        """
        left = weakref.finalize(container, self.end, None, left=True)
        left.atexit = False  # the core ends the runs that are open then
        if self._is_own:
            self.session.pause(returned=False)


def begin_session(call: TrainCall, options: RunOptions, *, params: bool = False) -> FitSession:
    """Begin a session for a call, with the runs and the file that it goes on from."""
    start = call.arguments.get("xgb_model")
    made_by, rounds = maker_of(start)
    before = None if call.estimator is None else origins().run_of(call.estimator)
    tags = {} if call.estimator is None else {"estimator": type(call.estimator).__name__}
    tags |= {"method": "cv"} if call.is_cv else {}
    request = options.request(
        tags=tags, after=None if made_by is not None else before, leader=leads(), **lineage(start)
    )
    session = FitSession.begin(NAME, request, params=partial(_params.of_call, call) if params else None)
    if session and made_by is not None and made_by.id != session.run.id:
        session.link("resumed_from", made_by.id, rounds - 1)
    return session


def record_failed(call: TrainCall, options: RunOptions, error: BaseException) -> None:
    """Record a call that failed before its callbacks were told: params or data that xgboost refuses."""
    session = begin_session(call, options, params=True)
    try:
        if session:
            record_data(session, call)
    finally:
        session.end(error)


def _why(stoppers: list[Any]) -> str:
    for item in stoppers:
        if item.current_rounds >= item.rounds:
            named = next(((data, next(iter(metrics))) for data, metrics in item.stopping_history.items()), None)
            what = "score" if named is None else "/".join(named)
            return f"no better {what} in {item.rounds} iterations"
    return "a callback has ended it"
