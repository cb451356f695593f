"""One call of `train` or `cv`, from its beginning to its end."""

from collections.abc import Mapping, Sequence
from typing import Any

import lightgbm

from runlore import FitSession, guest
from runlore.guest.options import RunOptions
from runlore_lightgbm import _params
from runlore_lightgbm._calls import TrainCall
from runlore_lightgbm._checkpoints import lineage
from runlore_lightgbm._data import record_data
from runlore_lightgbm._framework import NAME
from runlore_lightgbm._metrics import numbers_of, record_importances
from runlore_lightgbm._owners import origins, rounds_of, trained


class Listener:
    """Hears of the iterations of one training, as the first: a point is on disk before others save or fail."""

    order = -(1 << 62)
    before_iteration = False

    def __init__(self, training: "Training") -> None:
        self._training = training

    @guest.harmless
    def __call__(self, env: Any) -> None:
        """Record the numbers of an iteration."""
        self._training.take(env)


class Training:
    """Records one call into a session: its own, or that of the estimator's fit, which another integration records."""

    def __init__(self, session: FitSession, call: TrainCall, *, is_own: bool) -> None:
        self.session = session
        self._call = call
        self._is_own = is_own
        self._model: Any = None  # None until the first iteration
        self._step = 0  # iterations that the model has made, as lightgbm counts them
        self._planned = 0
        self._curves: dict[int, dict[str, float]] = {}  # what was told, by step
        self._given: Mapping[str, Any] = {}
        self._folds: dict[int, dict[str, dict[int, float]]] = {}  # the numbers of each fold, by id, key and step

    @classmethod
    def begin(cls, call: TrainCall, options: RunOptions) -> "Training | None":
        """Begin to record a call; None where it is not to be recorded."""
        outer = None if call.estimator is None else guest.fit_of(call.estimator, NAME)
        if outer is not None:
            options.count_in(outer)
        session = _begin_session(call, options) if outer is None else outer
        if not session:
            return None
        training = cls(session, call, is_own=outer is None)
        try:
            training._describe()
        except BaseException as error:  # Ctrl-C while the data is read
            training.end(error)
            raise
        return training

    def _describe(self) -> None:
        session, callbacks = self.session, self._call.arguments.get("callbacks")
        session.place = lambda: (self._step or None, None)
        session.params(lambda: _params.of_callbacks(callbacks))
        if self._is_own:
            session.params(self._params)
            record_data(session, self._call)
        elif self._call.fit is not None:
            fit = self._call.fit
            session.params(lambda: _params.of_metrics(fit.get("eval_metric")))

    def _params(self) -> Mapping[str, Any]:
        self._given = _params.of_call(self._call)
        return self._given

    def take(self, env: Any) -> None:
        """Record the numbers of an iteration; the first one has settled what the params mean."""
        is_first = self._model is None
        if is_first:
            self._model, self._planned = env.model, env.end_iteration
            trained().set(env.model, self)
        self._step = env.iteration + 1
        numbers = numbers_of(env.evaluation_result_list)
        if numbers:
            self._curves[self._step] = numbers
        numbers = {**numbers, **_params.set_anew(env.params, self._call.arguments.get("callbacks") or ())}
        if numbers:
            self.session.metrics(numbers, step=self._step)
        if is_first:
            self.session.record(lambda session: session.params(self._resolved))

    def _resolved(self) -> Mapping[str, Any]:
        booster = self._model.boosters[0] if self._call.is_cv else self._model
        return _params.resolved(booster, self._given or _params.of_call(self._call))

    def evaluated(self, booster: Any, results: Sequence[Any]) -> None:
        """Take what a booster of a cross-validation was evaluated to."""
        if self._call.is_cv:
            found = self._folds.setdefault(id(booster), {})  # which lives as long as the call
            for key, value in numbers_of(results).items():
                series = found.setdefault(key, {})
                series[len(series) + 1] = value

    def saved(self, path: str, step: int) -> None:
        """Record a file that the model was saved to, and those that a user's callback has removed meanwhile."""
        self.session.check_removed()
        self.session.checkpoint(path, step=step)

    def end(self, error: BaseException | None) -> None:
        """End the record: the call has returned, or raised `error`."""
        model, self._model = self._model, None
        if model is not None:
            trained().pop(model)
        try:
            if error is None and model is not None:
                self.session.record(lambda session: self._conclude(session, model))
        finally:  # also when Ctrl-C comes meanwhile
            place = self._step or None
            self.session.place = lambda: (place, None)
            if self._is_own:
                self.session.end(error)

    def _conclude(self, session: FitSession, model: Any) -> None:
        if model.best_iteration > 0:
            best = self._curves.get(model.best_iteration, {})
            session.summary({"best_iteration": model.best_iteration, "best_score": best})
        if self._step < self._planned:
            session.stopped(self._why(model), step=self._step)
        if not self._curves:
            session.missing("metrics", "nothing was evaluated: that takes valid_sets, or an eval_set, and a metric")
        for number, points in enumerate(self._folds.values()):
            session.child(f"fold-{number}", params={}, points=points, tags={})
        if not self._call.is_cv:
            origins().note_made(model, session.run, rounds_of(model))
            if self._call.estimator is not None and self._is_own:
                origins().note_made(self._call.estimator, session.run)
            session.record(lambda session: record_importances(session, model))

    def _why(self, model: Any) -> str:
        arguments = self._call.arguments
        rounds = [getattr(item, "stopping_rounds", None) for item in arguments.get("callbacks") or ()]
        rounds += [_params.early_stopping(arguments.get("params"))]
        if any(count is not None and self._step - model.best_iteration >= count for count in rounds):
            return f"no better score in {self._step - model.best_iteration} iterations"
        return "a callback has ended it"


def _begin_session(call: TrainCall, options: RunOptions) -> FitSession:
    """Begin a session for a call, with the runs and the file that it goes on from."""
    start = call.arguments.get("init_model")
    made_by = origins().run_of(start, rounds_of(start)) if isinstance(start, lightgbm.Booster) else None
    before = None if call.estimator is None else origins().run_of(call.estimator)
    tags = {} if call.estimator is None else {"estimator": type(call.estimator).__name__}
    tags |= {"method": "cv"} if call.is_cv else {}
    session = FitSession.begin(
        NAME, options.request(tags=tags, after=None if made_by is not None else before, **lineage(start))
    )
    if session and made_by is not None and made_by.id != session.run.id:
        session.link("resumed_from", made_by.id, rounds_of(start))
    return session
