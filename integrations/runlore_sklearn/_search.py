"""Searches and cross-validation as trees: candidates and folds as runs of their own."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np

from runlore import FitSession

CHILDREN = 1_000  # candidates or folds that become runs of their own
VALIDATION = "sklearn.model_selection._validation"

Call = Callable[[Any, Iterable[Any]], Any]


def record_search(session: FitSession, search: Any) -> None:
    """The best candidate on the run, and each candidate as a child: fold scores as points, mean, std and rank."""
    results = search.cv_results_
    if hasattr(search, "best_index_"):
        session.params({f"best.{name}": value for name, value in results["params"][search.best_index_].items()})
    if hasattr(search, "best_score_"):
        session.metrics({"best_score": search.best_score_})
    for place, params in enumerate(results["params"][:CHILDREN]):
        columns = {name: values[place] for name, values in results.items() if name != "params"}
        points = _fold_points(columns)
        points |= {
            name: [float(value)]  # type: ignore[arg-type]
            for name, value in columns.items()
            if name.startswith(("mean_", "std_", "rank_")) and np.isscalar(value)
        }
        scores = [value for name, values in points.items() if name.startswith("mean_test_") for value in values]
        failed = "no fold could be scored" if scores and all(np.isnan(scores)) else None
        session.child(f"candidate-{place}", params=params, points=points, tags={}, failed=failed)
    _tell_cap(session, len(results["params"]), "candidates")


def record_validation(call: Call, parallel: Any, tasks: Iterable[Any], begin: Callable[[Any], Any]) -> Any:
    """Run the tasks of a cross-validation as one run, each fold a child; any other tasks are run as they are.

    The tasks are recognised by the function that they call, as `cross_validate` may have been imported by name before
    autolog was switched on. `begin` gets the arguments of the first one and returns a session, or None.
    """
    remaining = iter(tasks)
    first = next(remaining, None)
    tasks = chain(() if first is None else (first,), remaining)
    function = getattr(first[0], "function", None) if isinstance(first, tuple) and len(first) == 3 else None
    if getattr(function, "__module__", None) != VALIDATION or first is None:
        return call(parallel, tasks)
    session = begin(first[1])
    if session is None:
        return call(parallel, tasks)
    try:
        results = call(parallel, tasks)
    except BaseException as error:
        session.end(error)
        raise
    failure: list[BaseException] = []
    session.record(lambda session: failure.extend(_record_folds(session, results)))
    session.end(failure[0] if failure else None)
    return results


def _record_folds(session: FitSession, results: Any) -> Iterator[BaseException]:
    """Record folds; gives an exception where none of them could be fitted."""
    folds = [item for item in results if isinstance(item, dict) and "test_scores" in item]
    series: dict[str, list[float]] = {}
    errors = []
    for place, fold in enumerate(folds):
        points = dict(_points_of(fold))
        for name, value in points.items():
            series.setdefault(f"split_{name}", []).append(value)
        error = fold.get("fit_error")
        if error:
            errors.append(str(error))
        if place < CHILDREN:
            failed = str(error).strip().rpartition("\n")[2] if error else None
            session.child(
                f"fold-{place}", params={}, points={k: [v] for k, v in points.items()}, tags={}, failed=failed
            )
    for name, values in series.items():
        for step, value in enumerate(values):
            session.metrics({name: value}, step=step)
        plain = name.removeprefix("split_")
        if plain.startswith(("test_", "train_")):
            session.metrics({f"mean_{plain}": float(np.mean(values)), f"std_{plain}": float(np.std(values))})
    _tell_cap(session, len(folds), "folds")
    if folds and len(errors) == len(folds):
        yield ValueError(f"none of {len(folds)} folds could be fitted; the first: {errors[0]}")


def _points_of(fold: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for kind in ("test", "train"):
        scores = fold.get(f"{kind}_scores")
        named = scores if isinstance(scores, dict) else {"score": scores}
        for name, value in named.items():
            if np.isscalar(value):
                yield f"{kind}_{name}", float(value)  # type: ignore[arg-type]
    for name in ("fit_time", "score_time"):
        if name in fold:
            yield name, float(fold[name])


def _fold_points(columns: Mapping[str, Any]) -> dict[str, list[float]]:
    """The scores per fold as one series: split0_test_score, split1_test_score → split_test_score."""
    points: dict[str, list[float]] = {}
    for name, value in columns.items():
        head, _, key = name.partition("_")
        if head.startswith("split") and head[5:].isdecimal():
            points.setdefault(f"split_{key}", []).append(float(value))
    return points


def _tell_cap(session: FitSession, count: int, what: str) -> None:
    if count > CHILDREN:
        session.missing(f"{count - CHILDREN} {what}", f"at most {CHILDREN} become runs")
