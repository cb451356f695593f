"""The callback for estimators that take scikit-learn's callbacks (`sklearn.callback`, since 1.9)."""

import sys
from contextlib import suppress
from types import TracebackType
from typing import Any

from runlore import FitSession, guest
from runlore_sklearn._copies import CALLBACKS
from runlore_sklearn._metrics import record_iteration_score
from runlore_sklearn._training import Training, begin_session
from runlore_sklearn._wrapping import watch_callbacks


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
        self._not_begun: set[int] = set()  # the ids of estimators whose fit was called, and has set up no callback yet
        with suppress(ImportError):  # scikit-learn has no callbacks before 1.9
            watch_callbacks(_of)

    def setup(self, estimator: Any, context: Any) -> None:
        """Begin to record a fit."""
        self._not_begun.discard(id(estimator))
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

    def on_fit_task_begin(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None, metadata: Any = None
    ) -> None:
        """Describe the data when the first part of the fit begins."""
        fit = self._fits.get(id(estimator))
        if fit is not None and fit.training is not None and not fit.described and X is not None:
            fit.described = True
            fit.training.take_data({"X": X, "y": y, **(metadata or {})})

    def on_fit_task_end(
        self,
        estimator: Any,
        context: Any,
        *,
        X: Any = None,
        y: Any = None,
        metadata: Any = None,
        fitted_estimator: Any = None,
    ) -> None:
        """Record the score after a part of the fit that is an iteration."""
        fit = self._fits.get(id(estimator))
        if fit is None or fitted_estimator is None or context.parent is None or X is None or y is None:
            return
        step, data, others = context.task_id, (X, y), metadata or {}
        fit.session.record(lambda session: record_iteration_score(session, step, fitted_estimator, data, others))

    def __getstate__(self) -> dict[str, Any]:
        return {"_fits": {}, "_not_begun": set()}  # a copy, or a worker's, records nothing of the fits under way here


class _Call:
    """A call of `fit`, as a block, which tells a failure before callbacks are set up: a parameter that is refused."""

    def __init__(self, estimator: Any, not_begun: set[int]) -> None:
        self._estimator = estimator
        self._not_begun = not_begun

    def __enter__(self) -> None:
        self._not_begun.add(id(self._estimator))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if id(self._estimator) in self._not_begun:
            self._not_begun.discard(id(self._estimator))
            if error is not None and not guest.in_fit():
                begin_session(self._estimator).end(error)


def _of(estimator: Any) -> _Call | None:
    """Return the block for a fit of an estimator that our callback is set on; None for others."""
    callbacks = getattr(estimator, "__dict__", {}).get(CALLBACKS) or ()
    ours = next((callback for callback in callbacks if isinstance(callback, RunloreCallback)), None)
    return None if ours is None else _Call(estimator, ours._not_begun)
