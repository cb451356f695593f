"""A search: the results of its candidates as it finds them, and the tree that is made of them."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from runlore import FitSession, guest
from runlore.guest.captured import Captured
from runlore_spark._params import Given, Parts, maps_of

MAX_CHILDREN = 1_000  # candidates that become runs of their own


class Search:
    """Records a search for params into the session that it is, or is a part of."""

    def __init__(self, session: FitSession, search: Any, given: Given) -> None:
        self._session = session
        self._search = search
        self._parts = Parts(search, given)
        self._folds: defaultdict[int, list[float]] = defaultdict(list)  # by candidate; one fold ends before the next
        self._seconds: defaultdict[int, float] = defaultdict(float)
        self._model: Any = None

    def noting(self, task: Callable[[], Any]) -> Callable[[], Any]:
        """Return a task of the search, a fit and an evaluation, which tells its result."""

        @guest.unseen
        def noted() -> Any:
            began = time.perf_counter()
            with guest.frameless():
                result = task()
            self._note(result, time.perf_counter() - began)
            return result

        return noted

    @guest.harmless
    def _note(self, result: Any, seconds: float) -> None:
        place, metric, *_ = result
        self._folds[place].append(float(metric))
        self._seconds[place] += seconds

    def returned(self, model: Any) -> None:
        """Take the model that the search has found."""
        self._model = model

    def end(self, error: BaseException | None) -> None:
        """Record the candidates: the search has returned, or raised `error`."""
        self._session.record(self._record)

    def _record(self, session: FitSession) -> None:
        evaluator = self._parts.value(self._search, self._search.evaluator)
        metric, maps = metric_of(evaluator), maps_of(self._parts, self._search)
        means, deviations = _results(self._model)
        best = None
        if means:
            best = int(np.argmax(means) if evaluator.isLargerBetter() else np.argmin(means))
            session.params({f"best.{name}": Captured(value) for name, value in self._params(maps[best]).items()})
            session.metrics({f"best_{metric}": means[best]})
        for place, candidate in enumerate(maps[:MAX_CHILDREN]):
            folds = self._folds.get(place, [])
            if not folds and not means:  # the search has failed before
                continue
            points = {metric: folds or [means[place]]}
            points |= {f"avg_{metric}": [means[place]]} if deviations else {}
            points |= {f"std_{metric}": [deviations[place]]} if deviations else {}
            session.child(
                f"candidate-{place}",
                params=self._params(candidate),
                points=points,
                tags={"best": True} if place == best else {},
                failed=None if means else "the search failed before it had compared all candidates",
                seconds=self._seconds.get(place, 0.0),
            )
        if len(maps) > MAX_CHILDREN:
            session.missing(f"{len(maps) - MAX_CHILDREN} candidates", f"at most {MAX_CHILDREN} become runs")

    def _params(self, candidate: Given) -> dict[str, Any]:
        return {self._parts.name_of(param): self._parts.readable(value) for param, value in candidate.items()}


def metric_of(evaluator: Any, given: Given | None = None) -> str:
    """Return the name of what an evaluator computes: that of its metric, else that of its class."""
    param = getattr(evaluator, "metricName", None)
    if param is None or not hasattr(evaluator, "getOrDefault"):
        return type(evaluator).__name__
    return str((given or {}).get(param) or evaluator.getOrDefault(param))


def is_search(estimator: Any) -> bool:
    """Return True for an estimator that compares candidates."""
    return all(hasattr(estimator, name) for name in ("estimatorParamMaps", "evaluator", "estimator"))


def _results(model: Any) -> tuple[list[float], list[float]]:
    """Return what a search has found of its candidates, and the deviations, which only a cross-validation has."""
    if model is None:
        return [], []
    means = getattr(model, "avgMetrics", None) or getattr(model, "validationMetrics", None) or []
    return [float(value) for value in means], [float(value) for value in getattr(model, "stdMetrics", None) or ()]
