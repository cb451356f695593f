"""The callback for estimators that take scikit-learn's callbacks (`sklearn.callback`, since 1.9)."""

import sys
import time
from typing import Any

import numpy as np

from runlore import FitSession
from runlore_sklearn import _tracking
from runlore_sklearn._fit import TRAIN_SCORE_ROWS, begin_session, describe_data, record_results


class _Fit:
    """One fit that the callback was set on."""

    def __init__(self, session: FitSession, *, owned: bool) -> None:
        self.session = session
        self.owned = owned  # whether we began it; autolog may have, or an outer fit
        self.before = sys.exception()
        self.began = time.perf_counter()
        self.data: tuple[Any, Any] = (None, None)


class RunloreCallback:
    """Records the fits of the estimator that it is set on: `LogisticRegression().set_callbacks(RunloreCallback())`.

    Besides what autolog records, the score on the training data after every iteration (`iteration_score`), where the
    estimator tells of its iterations and the data has at most 10,000 rows. With autolog on, a fit is still one run. The
    same object may be set on several estimators. scikit-learn pickles it along with the estimator.
    """

    def __init__(self) -> None:
        self._fits: dict[Any, _Fit] = {}

    def setup(self, estimator: Any, context: Any) -> None:
        """The fit begins."""
        session = FitSession.current()
        owned = session is None
        if session is None:
            session = begin_session(estimator)
        if session is not None:
            self._fits[context.root_uuid] = _Fit(session, owned=owned)

    def teardown(self, estimator: Any, context: Any) -> None:
        """The fit ended, with or without an exception."""
        fit = self._fits.pop(context.root_uuid, None)
        if fit is None or not fit.owned:
            return
        error = sys.exception()
        if error is fit.before:
            error = None
        try:
            fit.session.metrics({"fit_seconds": time.perf_counter() - fit.began})
            if error is None:
                fit.session.record(lambda session: record_results(session, estimator, fit.data))
                _tracking.track(estimator, fit.session.run, fit.data[0])
        finally:
            fit.session.end(error)

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any = None, y: Any = None) -> None:
        """A part of the fit begins; the first one tells the data."""
        fit = self._fits.get(context.root_uuid)
        if fit is not None and fit.owned and context.parent is None and X is not None:
            fit.data = (X, y)
            describe_data(fit.session, fit.data)

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None, fitted_estimator: Any = None
    ) -> None:
        """A part of the fit ended; of an iteration the score is recorded."""
        fit = self._fits.get(context.root_uuid)
        if fit is None or fitted_estimator is None or context.parent is None or X is None or y is None:
            return
        fit.session.record(lambda session: _record_iteration(session, context.task_id, fitted_estimator, X, y))

    def __getstate__(self) -> dict[str, Any]:
        return {"_fits": {}}  # a copy, or a worker's, records nothing of the fits that are under way here


def _record_iteration(session: FitSession, step: int, fitted: Any, X: Any, y: Any) -> None:
    if X.shape[0] > TRAIN_SCORE_ROWS or not hasattr(fitted, "score"):
        return
    with FitSession.without_trace():
        score = fitted.score(X, y)
    if np.isscalar(score):
        session.metrics({"iteration_score": score}, step=step, split="train")
