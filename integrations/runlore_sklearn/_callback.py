"""The callback for estimators that take scikit-learn's callbacks (`sklearn.callback`, since 1.9)."""

import sys
from typing import Any

from runlore import FitSession, guest
from runlore_sklearn._metrics import record_iteration_score
from runlore_sklearn._training import Training, begin_session


class _Fit:
    """A fit of an estimator that the callback was set on."""

    def __init__(self, session: FitSession, training: Training | None) -> None:
        self.session = session
        self.training = training  # None where autolog records the fit
        self.outer = sys.exception()  # fit() may be called while another exception is handled
        self.described = False


class RunloreCallback:
    """Records the fits of the estimator that it is set on: `LogisticRegression().set_callbacks(RunloreCallback())`.

    Besides what autolog records, the score on the training data after every iteration (`iteration_score`), where the
    estimator tells of its iterations and the data has at most 10,000 rows. With autolog on, a fit is still one run.
    The same object may be set on several estimators; one that is fitted inside a search or a pipeline is a part of
    that, and makes no run. scikit-learn pickles the callback along with the estimator.
    """

    def __init__(self) -> None:
        self._fits: dict[int, _Fit] = {}  # by the id of the estimator: the fits of a search share their context's root

    def setup(self, estimator: Any, context: Any) -> None:
        """Begin to record a fit."""
        if context.parent is not None:
            return
        session = guest.current()
        training = None
        if session is None and not guest.in_fit():
            session = begin_session(estimator)
            training = Training(session, estimator) if session else None
        if session:
            self._fits[id(estimator)] = _Fit(session, training)

    def teardown(self, estimator: Any, context: Any) -> None:
        """End the record of a fit that returned or raised."""
        fit = self._fits.pop(id(estimator), None)
        if fit is None or fit.training is None:
            return
        error = sys.exception()
        fit.training.end(None if error is fit.outer else error)

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any = None, y: Any = None) -> None:
        """Describe the data when the first part of the fit begins."""
        fit = self._fits.get(id(estimator))
        if fit is not None and fit.training is not None and not fit.described and X is not None:
            fit.described = True
            fit.training.take_data((X, y), {})

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None, fitted_estimator: Any = None
    ) -> None:
        """Record the score after a part of the fit that is an iteration."""
        fit = self._fits.get(id(estimator))
        if fit is None or fitted_estimator is None or context.parent is None or X is None or y is None:
            return
        fit.session.record(lambda session: record_iteration_score(session, context.task_id, fitted_estimator, (X, y)))

    def __getstate__(self) -> dict[str, Any]:
        return {"_fits": {}}  # a copy, or a worker's, records nothing of the fits that are under way here
