"""Points: what catboost tells at an iteration and at the end, and what the features of a trained model weigh."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runlore import FitSession

Evals = Mapping[str, Mapping[str, Sequence[float]]]  # values by set and metric


class Curves:
    """Takes the numbers of each iteration out of what catboost tells then: all numbers since the beginning."""

    def __init__(self, period: int) -> None:
        self._period = max(1, period)
        self._lengths: dict[tuple[str, str], int] = {}

    def newest(self, evals: Evals, iteration: int) -> dict[str, float]:
        """Return the numbers of an iteration, from 0; {} where catboost has evaluated nothing at it."""
        found = {}
        is_first = not self._lengths  # of those that it makes: a snapshot's stand before them
        for name, metrics in evals.items():
            for metric, values in metrics.items():
                length = len(values)
                known = self._lengths.get((name, metric), 0)
                is_new = iteration % self._period == 0 if is_first and iteration else length > known
                self._lengths[name, metric] = length
                if is_new and length:
                    found[f"{name}/{metric}"] = values[-1]
        return found

    def __bool__(self) -> bool:
        return bool(self._lengths)


def points_of(evals: Evals, period: int, planned: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield the numbers of each iteration, from 0, that a fit has evaluated at: every `period`, and the last one."""
    series = {f"{name}/{metric}": values for name, metrics in evals.items() for metric, values in metrics.items()}
    for place in range(max(map(len, series.values()), default=0)):
        numbers = {key: values[place] for key, values in series.items() if place < len(values)}
        yield min(place * max(1, period), planned - 1), numbers


def curves_of_table(table: Any) -> dict[str, list[float]]:
    """Return the columns of a cross-validation by set and metric: `test-AUC-mean` is `test/AUC-mean`."""
    return {str(name).replace("-", "/", 1): list(table[name]) for name in table if name != "iterations"}


def fold_curves(folder: Path, since: float) -> dict[str, dict[int, float]]:
    """Return what catboost has written of one fold since a time, by set, metric and iteration; {} without its files."""
    found: dict[str, dict[int, float]] = {}
    for name, file in (("train", "learn_error.tsv"), ("test", "test_error.tsv")):
        path = folder / file
        if path.exists() and path.stat().st_mtime >= since:
            (_, *metrics), *rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
            for place, metric in enumerate(metrics, 1):
                found[f"{name}/{metric}"] = {int(row[0]): float(row[place]) for row in rows}
    return found


def record_importances(session: FitSession, model: Any) -> None:
    """Keep how much each feature that was used weighs, as a table, where the fit has found that out."""
    weights = np.asarray(model.feature_importances_)
    if weights.ndim == 1 and weights.dtype != object:
        rows = [row for row in zip(model.feature_names_, weights.tolist(), strict=True) if row[1]]
        if rows:
            feature, importance = zip(*rows, strict=True)
            session.table("feature_importance", {"feature": feature, "importance": importance})
