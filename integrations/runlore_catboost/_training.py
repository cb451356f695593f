"""One fit, or one cross-validation, from its beginning to its end."""

import time
from collections.abc import Mapping
from typing import Any

import catboost

from runlore import FitSession, guest
from runlore.guest.options import RunOptions
from runlore_catboost import _params
from runlore_catboost._calls import FitCall
from runlore_catboost._checkpoints import lineage
from runlore_catboost._data import parts_of, record_data
from runlore_catboost._framework import NAME, given, snapshot_of, told_by, train_dir
from runlore_catboost._metrics import Curves, curves_of_table, fold_curves, points_of, record_importances
from runlore_catboost._owners import origins, rounds_of


class Listener:
    """Hears of the iterations of one fit, as the first: a point is on disk before others fail."""

    def __init__(self, training: "Training") -> None:
        self._training = training

    def after_iteration(self, info: Any) -> bool:
        """Record the numbers of an iteration. Never ends the fit."""
        self._training.take(info)
        return True


class Training:
    """Records one fit into a session: its own, or that of a fit which another integration records."""

    def __init__(self, session: FitSession, call: FitCall, params: Mapping[str, Any], *, is_own: bool) -> None:
        self.session = session
        self._call = call
        self._given = params
        self._is_own = is_own
        self._is_told = False  # of its iterations
        self._before = 0  # trees of the model that it goes on from
        self._has_points = False
        self._done = 0  # iterations, with those that a snapshot holds
        self._curves = Curves(params.get("metric_period") or 1)
        self._snapshot = snapshot_of(params)
        self._written = self._state_of_snapshot()

    @classmethod
    def begin(cls, call: FitCall, params: Mapping[str, Any], options: RunOptions) -> "Training | None":
        """Begin to record a fit; None where it is not to be recorded."""
        outer = guest.fit_of(call.model, NAME)
        if outer is not None:
            options.count_in(outer)
        session = _begin_session(call, params, options) if outer is None else outer
        if not session:
            return None
        training = cls(session, call, params, is_own=outer is None)
        try:
            training._describe()
        except BaseException as error:  # Ctrl-C while the data is read
            training.end(error)
            raise
        return training

    def _describe(self) -> None:
        session, start = self.session, self._call.arguments.get("init_model")
        self._before = rounds_of(start) if isinstance(start, catboost.CatBoost) else 0
        session.place = self._place
        if self._is_own:
            session.params(lambda: _params.readable(self._given))
            record_data(session, parts_of(self._call.arguments))

    def listener(self) -> Listener:
        """Return the callback that hears of the iterations."""
        self._is_told = True
        return Listener(self)

    def loaded(self, start: Any) -> None:
        """Take the model that the fit goes on from, which catboost has read from the file that it was given."""
        if not self._done and not isinstance(self._call.arguments.get("init_model"), catboost.CatBoost):
            self._before = rounds_of(start)

    def _place(self) -> tuple[int | None, float | None]:
        return self._before + self._done - 1 if self._done else None, None

    @guest.harmless
    def take(self, info: Any) -> None:
        """Record the numbers of an iteration, and the snapshot that was written before it."""
        self._done = info.iteration
        numbers = self._curves.newest(info.metrics, self._done - 1)
        if numbers:
            self._has_points = True
            self.session.metrics(numbers, step=self._before + self._done - 1)
        self._take_snapshot(self._done - 1)

    def _take_snapshot(self, iterations: int) -> None:
        """Record the snapshot if it has been written anew; it holds so many iterations."""
        written = self._state_of_snapshot()
        if written != self._written and self._snapshot is not None:
            self._written = written
            if iterations:
                self.session.checkpoint(self._snapshot, step=self._before + iterations - 1)

    def _state_of_snapshot(self) -> tuple[int, ...] | None:
        return None if self._snapshot is None else guest.file_state(self._snapshot)

    def end(self, error: BaseException | None) -> None:
        """End the record: the fit has returned, or raised `error`."""
        place, model = self._place(), self._call.model
        try:
            if error is None:
                self.session.record(lambda session: self._conclude(session, model))
            elif not self._is_told:
                self.session.missing("metrics", "catboost tells them at the end only, and the fit did not reach it")
        finally:  # also when Ctrl-C comes meanwhile
            self.session.place = lambda: place
            if self._is_own:
                self.session.end(told_by(error))

    def _conclude(self, session: FitSession, model: Any) -> None:
        made_of = model.get_all_params()
        planned = made_of.get("iterations") or 0
        if not self._is_told:
            self._tell(session, model, planned)
        if not self._has_points and (self._done or not self._is_told):
            session.missing("metrics", "nothing was evaluated: that takes an eval_set or a metric of the training")
        session.params(lambda: _params.resolved(model, self._given))
        self._take_snapshot(self._done)
        best = model.get_best_iteration()
        if best is not None:
            scores = {name: found for name, found in model.get_best_score().items() if found}
            session.summary({"best_iteration": self._before + best, **({"best_score": scores} if scores else {})})
        if 0 < self._done < planned:
            behind_best = 0 if best is None else self._done - 1 - best
            session.stopped(_why(made_of, behind_best), step=self._place()[0])
        elif self._snapshot is not None and not self._done:
            session.stopped("the snapshot held all iterations")
        origins().note_made(model, session.run, rounds_of(model))
        session.record(lambda session: record_importances(session, model))

    def _tell(self, session: FitSession, model: Any, planned: int) -> None:
        """Record the numbers of all iterations, which catboost has told nobody meanwhile."""
        for step, numbers in points_of(model.get_evals_result(), self._given.get("metric_period") or 1, planned):
            session.metrics(numbers, step=self._before + step)
            self._has_points = True
            self._done = step + 1


def _begin_session(call: FitCall, params: Mapping[str, Any], options: RunOptions) -> FitSession:
    """Begin a session for a fit, with the runs and the file that it goes on from."""
    start, model = call.arguments.get("init_model"), call.model
    made_by = origins().run_of(start, rounds_of(start)) if isinstance(start, catboost.CatBoost) else None
    before = None if made_by is not None else origins().run_of(model, rounds_of(model))
    tags = {"estimator": type(model).__name__}
    session = FitSession.begin(NAME, options.request(tags=tags, after=before, **lineage(start, params)))
    if session and made_by is not None and made_by.id != session.run.id:
        session.link("resumed_from", made_by.id, rounds_of(start) - 1)
    return session


def _why(made_of: Mapping[str, Any], behind_best: int) -> str:
    """Return why a fit has ended before its last iteration, so many behind its best one."""
    if made_of.get("od_type") == "Iter" and 0 < made_of.get("od_wait", 0) <= behind_best:
        return f"no better score in {behind_best} iterations"
    return "the overfitting detector has ended it" if made_of.get("od_pval") else "a callback has ended it"


class Validation:
    """Records one call of `cv`, whose numbers catboost tells at its end."""

    def __init__(self, session: FitSession, arguments: Mapping[str, Any]) -> None:
        self._session = session
        self._arguments = arguments
        self._began = time.time()
        self._result: Any = None

    @classmethod
    def begin(cls, arguments: Mapping[str, Any], options: RunOptions) -> "Validation | None":
        """Begin to record a cross-validation; None where it is not to be recorded."""
        session = FitSession.begin(
            NAME, options.request(tags={"method": "cv"}), params=lambda: _params.of_cv(arguments)
        )
        if not session:
            return None
        pool = arguments.get("pool")
        record_data(session, iter([("X", arguments.get("dtrain") if pool is None else pool)]))
        return cls(session, arguments)

    def returned(self, result: Any) -> None:
        """Take what the call returns."""
        self._result = result

    def end(self, error: BaseException | None) -> None:
        """End the record: the call has returned, or raised `error`."""
        try:
            if error is None:
                self._session.record(self._conclude)
        finally:
            self._session.end(error)

    def _conclude(self, session: FitSession) -> None:
        table, models = self._result if isinstance(self._result, tuple) else (self._result, ())
        curves = curves_of_table(table)
        steps = [int(step) for step in table["iterations"]]
        for place, step in enumerate(steps):
            session.metrics({key: values[place] for key, values in curves.items()}, step=step)
        params = self._arguments["params"]
        planned = given({**params, **self._arguments}, "iterations")
        if steps and isinstance(planned, int) and steps[-1] < planned - 1:
            session.stopped("no better score", step=steps[-1])
        folder = train_dir(params)
        for place in range(len(list(folder.glob("fold-*"))) if params.get("allow_writing_files", True) else 0):
            points = fold_curves(folder / f"fold-{place}", self._began)
            if points:
                session.child(f"fold-{place}", params={}, points=points, tags={})
        for model in models:
            origins().note_made(model, session.run, rounds_of(model))
