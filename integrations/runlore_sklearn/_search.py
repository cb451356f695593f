"""Record searches and cross-validations as trees: candidates and folds are runs of their own."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np

from runlore import FitSession, guest
from runlore.guest.captured import Captured
from runlore_sklearn._framework import validation_of
from runlore_sklearn._params import readable

MAX_CHILDREN = 1_000  # candidates or folds that become runs of their own
TESTED = "<the rows that it is tested on>"  # a setting of a fold, which is no param
ROWS = ("train_rows", TESTED)
HALVING = ("iter", "n_resources")  # columns that tell the candidates of a halving search apart

Begin = Callable[[Any, dict[str, Any], str], "FitSession | None"]


def record_search(session: FitSession, search: Any) -> None:
    """Record the best candidate with the run, and each candidate as a child: fold scores, mean, std and rank."""
    results = search.cv_results_
    if hasattr(search, "best_index_"):
        best = results["params"][search.best_index_]
        session.params({f"best.{name}": Captured(readable(value)) for name, value in best.items()})
    if hasattr(search, "best_score_"):
        session.metrics({"best_score": search.best_score_})
    for place, params in enumerate(results["params"][:MAX_CHILDREN]):
        columns = {name: values[place] for name, values in results.items() if name != "params"}
        points = _fold_points(columns)
        points |= {
            name: [float(value)]  # type: ignore[arg-type]
            for name, value in columns.items()
            if name.startswith(("mean_", "std_", "rank_")) and np.isscalar(value)
        }
        scores = [value for name, values in points.items() if name.startswith("split_test_") for value in values]
        failed = "none of its folds could be scored" if scores and all(np.isnan(scores)) else None
        extra = {name: columns[name] for name in HALVING if name in columns}
        folds = len(next(iter(points.values()), []))
        seconds = sum(float(columns.get(f"mean_{kind}_time", 0.0)) for kind in ("fit", "score")) * folds
        session.child(
            f"candidate-{place}",
            params=_readable(params) | extra,
            points=points,
            tags={},
            failed=failed,
            seconds=seconds,
        )
    _record_cap(session, len(results["params"]), "candidates")


@contextmanager
def validation(tasks: Iterable[Any], begin: Begin) -> Iterator[tuple[Iterable[Any], list[Any]]]:
    """Give a block tasks to run, and let it tell the results: a cross-validation is one run, each fold a child of it.

    Its tasks are recognised by the function that they call, as `cross_validate` may have been imported by name before
    autolog was switched on. `begin` gets the arguments of the first task, those by name, too, and the kind of
    validation.
    """
    told: list[Any] = []
    remaining = iter(tasks)
    first = next(remaining, None)
    tasks = chain(() if first is None else (first,), remaining)
    kind = validation_of(first)
    if kind is None or first is None:
        yield tasks, told
        return
    session = begin(first[1], first[2], kind)
    if not session:
        with guest.unrecorded():
            yield tasks, told
        return
    settings: list[dict[str, Any]] = []
    try:
        yield _noting_settings(tasks, settings), told
    except BaseException as error:
        session.end(error)
        raise
    failure: list[BaseException] = []
    try:
        session.record(lambda session: failure.extend(_record_folds(session, told[0], settings)))
    finally:
        session.end(failure[0] if failure else None)


def _noting_settings(tasks: Iterable[Any], settings: list[dict[str, Any]]) -> Iterator[Any]:
    """Yield the tasks, and append what each varies to `settings`: params of the estimator, and rows to train on."""
    for task in tasks:
        named = task[2]
        found = dict(named.get("parameters") or {})
        if hasattr(named.get("train"), "__len__"):
            found |= {"train_rows": len(named["train"]), TESTED: hash(np.asarray(named.get("test")).tobytes())}
        settings.append(found)
        yield task


def _record_folds(session: FitSession, results: Any, settings: list[dict[str, Any]]) -> Iterator[BaseException]:
    """Record the folds; yield an exception if none of them could be fitted."""
    folds = [(place, item) for place, item in enumerate(results) if isinstance(item, dict) and "test_scores" in item]
    series: dict[str, list[float]] = {}
    errors = []
    varied = _varies(settings)
    for place, fold in folds:
        points = dict(_points_of(fold))
        for name, value in points.items():
            series.setdefault(f"split_{name}", []).append(value)
        error = fold.get("fit_error")
        if error:
            errors.append(str(error))
        if place < MAX_CHILDREN:
            failed = str(error).strip().rpartition("\n")[2] if error else None
            single = {name: [value] for name, value in points.items()}
            params = _readable(settings[place]) if varied and place < len(settings) else {}
            params.pop(TESTED, None)
            seconds = points.get("fit_time", 0.0) + points.get("score_time", 0.0)
            session.child(f"fold-{place}", params=params, points=single, tags={}, failed=failed, seconds=seconds)
    for name, values in series.items():
        for step, value in enumerate(values):
            session.metrics({name: value}, step=step)
        plain = name.removeprefix("split_")
        if plain.startswith(("test_", "train_")) and not varied:  # a mean over different settings says nothing
            session.metrics({f"mean_{plain}": float(np.mean(values)), f"std_{plain}": float(np.std(values))})
    _record_cap(session, len(folds), "folds")
    if folds and len(errors) == len(folds):
        yield ValueError(f"none of {len(folds)} folds could be fitted; the first: {errors[0]}")


def _readable(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: readable(value) for name, value in params.items()}


def _varies(settings: list[dict[str, Any]]) -> bool:
    """Return True if the folds differ by more than the rows that they leave out, as those of a learning curve do.

    Those are tested on the same rows with more and more to train on.
    """
    sizes: dict[Any, set[int]] = {}
    for found in settings:
        sizes.setdefault(found.get(TESTED), set()).add(found.get("train_rows", 0))
    others = [{name: value for name, value in found.items() if name not in ROWS} for found in settings]
    return any(other != others[0] for other in others) or any(len(some) > 1 for some in sizes.values())


def _points_of(fold: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the scores and times of a fold."""
    for kind in ("test", "train"):
        scores = fold.get(f"{kind}_scores")
        named = scores if isinstance(scores, dict) else {"score": scores}
        for name, value in named.items():
            if np.isscalar(value):
                yield f"{kind}_{name}", float(value)  # type: ignore[arg-type]
    for name in ("fit_time", "score_time"):
        if name in fold and math.isfinite(fold[name]):
            yield name, float(fold[name])


def _fold_points(columns: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the scores per fold as one series: split0_test_score, split1_test_score → split_test_score."""
    points: dict[str, list[float]] = {}
    for name, value in columns.items():
        head, _, key = name.partition("_")
        if head.startswith("split") and head[5:].isdecimal():
            points.setdefault(f"split_{key}", []).append(float(value))
    return points


def _record_cap(session: FitSession, count: int, what: str) -> None:
    """Say how many children were left out."""
    if count > MAX_CHILDREN:
        session.missing(f"{count - MAX_CHILDREN} {what}", f"at most {MAX_CHILDREN} become runs")
