"""Rank the params of runs by what they tell of a metric: a model's importances, and rank correlations.

Both look at the order of the runs by the metric, not at its values: one run that diverged counts no more than another.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runlore.analysis.ranking import is_place, is_telling
from runlore.errors import MissingDependency
from runlore.hookspecs import Importance
from runlore.index.fields import Field
from runlore.index.keys import varied_params
from runlore.index.parse import parse_field
from runlore.index.select import values_of
from runlore.index.sql import compile_query
from runlore.plugins.manager import plugins
from runlore.store.store import Store

MIN_RUNS = 10  # fewer show nothing but chance
MAX_RUNS = 1000  # the newest are looked at
MAX_PARAMS = 20
SECONDS = 5.0  # for the model
MISSING = (None, "None")  # a run without the param, or with None as its value

Columns = dict[str, "np.ndarray[Any, np.dtype[np.float64]]"]


@dataclass(frozen=True, slots=True)
class Telling:
    """A param and what it tells of the metric.

    `importance` is its part of what all params tell together, from 0 to 1; None where no model was made. `correlation`
    is Spearman's, None where a value is no number, or fewer than three runs have one. `alike` are params that change
    from run to run just as this one, so that nothing tells which of them matters.
    """

    field: str
    values: int  # different ones
    importance: float | None
    correlation: float | None
    alike: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Params, the most important first. `explained` is the model's R² on runs that it has not seen.

    `runs` were looked at, of `of` that have the metric; `beyond` counts params that differ and were left out. `why`
    says why there is no model.
    """

    metric: str
    runs: int
    of: int
    params: tuple[Telling, ...]
    beyond: int
    explained: float | None
    why: str | None


def rank_params(store: Store, where: str, metric: str) -> Ranking:
    """Rank the params that differ among the runs of a query which have a metric.

    Raises:
        QueryError: the query or the metric can't be understood.
    """
    chosen = parse_field(metric, "metrics")
    rows = store.ask(values_of, compile_query(where, time.time), [chosen])
    known = {run: value for run, _, value in rows if isinstance(value, int | float) and not math.isnan(value)}
    ids = sorted(known)[-MAX_RUNS:]  # ids begin with the time of the start
    texts = store.ask(varied_params, ids, ())
    keys = sorted((key for key in texts if not is_place(key)), key=lambda key: not is_telling(key))
    columns, alike = _columns(ids, {key: texts[key] for key in keys})
    beyond = max(0, len(columns) - MAX_PARAMS)
    columns = dict(list(columns.items())[:MAX_PARAMS])
    order = _ranks(np.array([known[run] for run in ids], float))
    found, why = _measured(columns, order)
    lost = {key: max(0.0, found.lost[key]) for key in columns} if found is not None else {}
    total = sum(lost.values()) or 1.0
    params = [
        Telling(
            Field("params", key, "", 0).text, len(set(texts[key].values())), lost[key] / total if lost else None,
            _correlation(texts[key], ids, order), tuple(Field("params", other, "", 0).text for other in alike[key]),
        )
        for key in columns
    ]  # fmt: skip
    params.sort(key=lambda item: (-(item.importance or 0), -abs(item.correlation or 0), item.field))
    return Ranking(chosen.text, len(ids), len(known), tuple(params), beyond, found.explained if found else None, why)


def _measured(columns: Columns, order: "np.ndarray[Any, Any]") -> tuple[Importance | None, str | None]:
    """Return what a model tells, or why there is none."""
    if len(order) < MIN_RUNS:
        return None, f"too few runs to tell importance from chance: {len(order)}, and {MIN_RUNS} are needed"
    if not columns or order.min() == order.max():
        return None, "nothing differs: no param, or not the metric"
    lists = {key: column.tolist() for key, column in columns.items()}
    try:
        found = plugins().first(
            "runlore_measure_importance", Importance, columns=lists, values=order.tolist(), seconds=SECONDS
        )
    except RuntimeError as error:
        cause = error.__cause__
        return None, str(cause if isinstance(cause, MissingDependency) else error)
    return found, None if found is not None else "no plugin measures the importance of params"


def _columns(ids: Sequence[str], texts: Mapping[str, Mapping[str, str]]) -> tuple[Columns, dict[str, list[str]]]:
    """Return params as numbers, each with those that change along with it; such a one has no column of its own.

    Texts are numbered in their order. A text of its own in every run, such as a name, tells nothing and is left out.
    """
    found: Columns = {}
    alike: dict[str, list[str]] = {}
    first: dict[tuple[int, ...], str] = {}
    for key, values in texts.items():
        held = [values.get(run) for run in ids]
        numbers = _numbers(held)
        names = {text: float(place) for place, text in enumerate(sorted({text for text in held if text is not None}))}
        if numbers is None and len(names) == len(ids):
            continue
        places: dict[str | None, int] = {}
        pattern = tuple(places.setdefault(text, len(places)) for text in held)
        if pattern in first:
            alike[first[pattern]].append(key)
            continue
        first[pattern] = key
        alike[key] = []
        coded = [math.nan if text is None else names[text] for text in held]
        found[key] = np.array(coded) if numbers is None else numbers
    return found, alike


def _numbers(held: Sequence[str | None]) -> "np.ndarray[Any, np.dtype[np.float64]] | None":
    """Return texts as finite numbers, NaN for what is missing or None; None if one is no number."""
    known = [text for text in held if text not in MISSING]
    try:
        if not all(math.isfinite(float(text or "")) for text in known):
            return None
    except ValueError:
        return None
    return np.array([math.nan if text in MISSING else float(text or "") for text in held])


def _ranks(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return the rank of each value, from 0; equal ones share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    means: np.ndarray[Any, np.dtype[np.float64]] = np.cumsum(counts) - (counts + 1) / 2
    return means[places]


def _correlation(texts: Mapping[str, str], ids: Sequence[str], order: "np.ndarray[Any, Any]") -> float | None:
    """Return Spearman's correlation of a param with an order of the runs, over those that have it; None for texts."""
    numbers = _numbers([texts.get(run) for run in ids])
    known = None if numbers is None else ~np.isnan(numbers)
    if numbers is None or known is None or known.sum() < 3:
        return None
    a, b = _ranks(numbers[known]), _ranks(order[known])
    if a.min() == a.max() or b.min() == b.max():
        return None
    return float(np.corrcoef(a, b)[0, 1])
