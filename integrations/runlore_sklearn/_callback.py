"""The callback for estimators that take scikit-learn's callbacks (`sklearn.callback`, since 1.9)."""

import sys
from typing import Any

import numpy as np

from runlore import FitSession, guest
from runlore_sklearn._fit import TRAIN_SCORE_ROWS, Recording, begin_session


class _Fit:
    """One fit that the callback was set on."""

    def __init__(self, session: FitSession, recording: Recording | None) -> None:
        self.session = session
        self.recording = recording  # None where autolog records the fit
        self.before = sys.exception()
        self.described = False


class RunloreCallback:
    """Records the fits of the estimator that it is set on: `LogisticRegression().set_callbacks(RunloreCallback())`.

    Besides what autolog records, the score on the training data after every iteration (`iteration_score`), where the
    estimator tells of its iterations and the data has at most 10,000 rows. With autolog on, a fit is still one run.
    The same object may be set on several estimators; one that is fitted inside a search or a pipeline is a part of
    that, and makes no run. scikit-learn pickles the callback along with the estimator.
    """

    def __init__(self) -> None:
        self._fits: dict[int, _Fit] = {}  # by estimator: the fits of a search share their context's root

    def setup(self, estimator: Any, context: Any) -> None:
        """The fit begins."""
        if context.parent is not None:
            return
        session = guest.current()
        recording = None
        if session is None and not guest.in_fit():
            session = begin_session(estimator)
            recording = Recording(session, estimator) if session else None
        if session:
            self._fits[id(estimator)] = _Fit(session, recording)

    def teardown(self, estimator: Any, context: Any) -> None:
        """The fit ended, with or without an exception."""
        fit = self._fits.pop(id(estimator), None)
        if fit is None or fit.recording is None:
            return
        error = sys.exception()
        fit.recording.end(None if error is fit.before else error)

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any = None, y: Any = None) -> None:
        """A part of the fit begins; the first one tells the data."""
        fit = self._fits.get(id(estimator))
        if fit is not None and fit.recording is not None and not fit.described and X is not None:
            fit.described = True
            fit.recording.take_data((X, y), {})

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None, fitted_estimator: Any = None
    ) -> None:
        """A part of the fit ended; of an iteration the score is recorded."""
        fit = self._fits.get(id(estimator))
        if fit is None or fitted_estimator is None or context.parent is None or X is None or y is None:
            return
        fit.session.record(lambda session: _record_iteration(session, context.task_id, fitted_estimator, X, y))

    def __getstate__(self) -> dict[str, Any]:
        return {"_fits": {}}  # a copy, or a worker's, records nothing of the fits that are under way here


def _record_iteration(session: FitSession, step: int, fitted: Any, X: Any, y: Any) -> None:
    if X.shape[0] > TRAIN_SCORE_ROWS or not hasattr(fitted, "score"):
        return
    with guest.without_trace(draws=True), guest.unrecorded():
        score = fitted.score(X, y)
    if np.isscalar(score):
        session.metrics({"iteration_score": score}, step=step, split="train")
