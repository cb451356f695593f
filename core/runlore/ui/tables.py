"""Endpoints for many runs: tables, groups, keys, curves."""

import math
import time
from typing import Any

from runlore import __version__
from runlore.analysis.curves import band_of, check_axis, curve_of
from runlore.analysis.importance import rank_params
from runlore.analysis.scope import ARCHIVED, CHILDREN, independent, listed, well_ended
from runlore.analysis.statistics import group_runs, key_text
from runlore.analysis.tables import Table, known_keys, list_experiments, read_table, suggested_columns
from runlore.documents import importance_document, iso_time, plain, statistics_document
from runlore.errors import QueryError
from runlore.index.fields import Field
from runlore.index.select import count_of
from runlore.index.sql import compile_query
from runlore.maintenance.removal import NothingToUndo, last_removal
from runlore.store.runs import RecordedRun
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter, Refused, exact

MAX_ROWS = 1000  # of one answer
MAX_CURVES = 50  # runs of one answer
MAX_BANDS = 12  # groups of one answer
MAX_MEMBERS = 30  # runs of a group that its band is made of
BAND = ("x", "mean", "deviation", "interval", "median", "low", "high")

WHERE = Parameter("where", "text", "a query, as of `runlore ls`", "")
ALL = Parameter(
    "all", "texts", "what is left out otherwise: children, archived", [], most=2,
    choices=(CHILDREN.word, ARCHIVED.word),
)  # fmt: skip
KEY = Parameter("key", "text", "a metric", required=True)
AXIS = Parameter("x", "text", "the quantity along x: step, epoch, time, relative, or metric: and a key", "step")
MOST = Parameter("most", "whole", "points of a curve, approximately", 1000, least=10, most=5000)


def about(store: Store) -> dict[str, Any]:
    """Return the place of the store, how many runs an undo would bring back, and the version of the server."""
    try:
        removed = len(last_removal(store))
    except (NothingToUndo, OSError):
        removed = 0
    return {"root": str(store.root), "exists": store.exists, "removed": removed, "version": __version__}


def experiments(store: Store, all: list[str]) -> dict[str, Any]:  # noqa: A002
    """Return the experiments, those with the newest runs first, each with its number of runs."""
    found = list_experiments(store, listed("", all))
    return {"experiments": [{"name": name, "runs": runs, "newest": iso_time(newest)} for name, runs, newest in found]}


def table(
    store: Store, where: str, columns: list[str], sort: str, offset: int, limit: int, all: list[str]  # noqa: A002
) -> dict[str, Any]:  # fmt: skip
    """Return a page of the table of runs, and how many of the query it leaves out because they are archived."""
    found = read_table(store, listed(where, all), columns, sort=sort, offset=offset, limit=limit)
    return table_document(found, columns) | {"offset": offset, "archived": _archived(store, where, all)}


def _archived(store: Store, where: str, also: list[str]) -> int:
    """Return how many runs of a query are left out because they are archived."""
    if not ARCHIVED.is_left_out(where, also):
        return 0
    among = f"({where}) and archived" if where else "archived"
    return store.ask(count_of, compile_query(listed(among, also), time.time))


def table_document(found: Table, columns: list[str]) -> dict[str, Any]:
    """Return a page of the table as a JSON document."""
    heads = [
        {"field": text, "table": field.table, "key": field.key or field.column, "of": field.column}
        for text, field in zip(columns, found.columns, strict=True)
    ]
    rows = [
        {
            "id": row.id,
            "name": row.name,
            "experiment": row.experiment,
            "status": row.status,
            "started": iso_time(row.started),
            "ended": None if row.ended is None else iso_time(row.ended),
            "duration_s": row.duration,
            "parent": row.parent,
            "children": row.children,
            "tags": row.tags,
            "values": [exact(plain(value)) for value in row.values],
        }
        for row in found.rows
    ]
    return {"total": found.total, "columns": heads, "rows": rows, "hints": list(found.hints)}


def keys(store: Store) -> dict[str, Any]:
    """Return the keys of params, metrics and so on, each with its field in a query and its number of runs."""
    return {
        table: [
            {"key": key, "field": Field(table, key, "last" if table == "metrics" else "", 0).text, "runs": runs}
            for key, runs in found.items()
        ]
        for table, found in known_keys(store).items()
    }


def suggested(store: Store, where: str, all: list[str]) -> dict[str, Any]:  # noqa: A002
    """Return the columns that tell the runs of a query apart."""
    return {"columns": suggested_columns(store, listed(where, all))}


def check(store: Store, where: str) -> dict[str, Any]:
    """Return the fields of a query, or the error in it, which is an answer like others here."""
    try:
        return {"fields": [field.text for field in store.check_query(where)], "error": None}
    except QueryError as error:
        return {"fields": [], "error": {"message": error.reason, "query": error.query, "column": error.column}}


def groups(
    store: Store, where: str, by: list[str], metrics: list[str], over: list[str], all: list[str]  # noqa: A002
) -> list[dict[str, Any]]:  # fmt: skip
    """Return statistics of metrics in groups of runs that finished, and the other runs of the query."""
    chosen, left_out = well_ended(store, where, independent(where, all), by)
    return [statistics_document(group_runs(store, chosen, metric, by, over), by, over, left_out) for metric in metrics]


def importance(store: Store, where: str, metric: str, all: list[str]) -> dict[str, Any]:  # noqa: A002
    """Return what the params of runs that finished tell of a metric, and the other runs of the query."""
    chosen, left_out = well_ended(store, where, independent(where, all))
    return importance_document(rank_params(store, chosen, metric), left_out)


# Curves


def _runs(store: Store, ids: list[str]) -> list[RecordedRun]:
    """Return the runs with these ids in this order, without those that were removed meanwhile."""
    found = {run.id: run for run in store.runs(f"id in {ids!r}")}
    return [found[run_id] for run_id in dict.fromkeys(ids) if run_id in found]


def curves(
    store: Store, runs: list[str], key: str, x: str, begin: float | None, end: float | None, most: int, smooth: float
) -> dict[str, Any]:
    """Return the curves of a metric, for the runs that have it; smoothed ones beside the points as they are."""
    _check_axis(x)
    found = []
    for run in _runs(store, runs):
        if key in run.metrics:
            curve = curve_of(run, key, x, begin=begin, end=end, most=most)
            document = {"run": run.id, "name": run.name, "x": numbers(curve.x), "y": numbers(curve.y),
                        "points": curve.points, "whole": curve.whole}  # fmt: skip
            if smooth and curve.points > 2:
                line = curve_of(run, key, x, begin=begin, end=end, most=most, smooth=smooth)
                document["smoothed"] = {"x": numbers(line.x), "y": numbers(line.y)}
            found.append(document)
    return {"key": key, "x": x, "curves": found}


def _check_axis(name: str) -> None:
    try:
        check_axis(name)
    except ValueError as error:
        raise Refused(str(error)) from None


def numbers(values: Any) -> list[float | str | None]:
    """Return an array for JSON: whole numbers without a point, and None for NaN, where the page breaks the line."""
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 1e15 else plain(value)


def bands(
    store: Store, where: str, by: list[str], order: str, key: str, x: str, most: int, all: list[str]  # noqa: A002
) -> dict[str, Any]:  # fmt: skip
    """Return what a metric's curves are in groups of runs that finished; `order` ranks the groups."""
    _check_axis(x)
    chosen, _ = well_ended(store, where, independent(where, all), by)
    grouped = group_runs(store, chosen, Field("metrics", key, "count", 0).text, by).groups
    if order:  # a metric that runs of a group may lack
        ranked = {group.key: place for place, group in enumerate(group_runs(store, chosen, order, by).groups)}
        grouped = tuple(sorted(grouped, key=lambda group: ranked.get(group.key, len(ranked))))  # it may be gone since
    found = []
    for group in grouped[:MAX_BANDS]:
        ids = [item.run for item in group.runs]
        members = _runs(store, ids[:MAX_MEMBERS])
        band = band_of([curve_of(run, key, x, most=most) for run in members if key in run.metrics])
        found.append(
            {
                "by": dict(zip(by, map(plain, group.key), strict=True)),
                "name": ", ".join(map(key_text, group.key)),
                "runs": len(members),
                "of": len(ids),
                "count": band.count.tolist(),
            }
            | {name: numbers(getattr(band, name)) for name in BAND}
        )
    return {"key": key, "x": x, "bands": found, "groups": len(grouped)}


def metrics_of(store: Store, runs: list[str]) -> dict[str, Any]:
    """Return the metrics of several runs, with the number of runs and the largest number of points of each."""
    counts: dict[str, int] = {}
    found = _runs(store, runs)
    for run in found:
        for key, series in run.metrics.items():
            counts[key] = counts.get(key, 0) + (1 if series.count else 0)
    return {
        "runs": [{"id": run.id, "name": run.name, "status": run.status} for run in found],
        "metrics": {key: counts[key] for key in sorted(counts)},
        "points": {key: max(run.metrics[key].count for run in found if key in run.metrics) for key in sorted(counts)},
    }


ENDPOINTS = [
    Endpoint("/api/store", "The place of the store, what an undo brings back, and the version of the server", about),
    Endpoint("/api/experiments", "The experiments, each with its number of runs", experiments, [ALL]),
    Endpoint(
        "/api/runs", "A page of the table of runs", table,
        [
            WHERE,
            Parameter("columns", "texts", "fields to return for each run: params.lr", [], most=40),
            Parameter("sort", "text", 'fields to sort by, "-" before one that descends', ""),
            Parameter("offset", "whole", "runs to skip at the beginning", 0, most=1 << 40),
            Parameter("limit", "whole", "runs to return", 100, most=MAX_ROWS),
            ALL,
        ],
    ),
    Endpoint("/api/keys", "The keys of all runs by table, with the number of runs that have each", keys),
    Endpoint("/api/columns", "The columns that tell the runs of a query apart", suggested, [WHERE, ALL]),
    Endpoint("/api/check", "The fields of a query, or what is wrong with it", check, [WHERE]),
    Endpoint(
        "/api/groups", "Statistics of metrics in groups of runs, as `runlore stats`: of those that finished", groups,
        [
            WHERE,
            Parameter("by", "texts", "fields whose values form the groups", required=True, most=4),
            Parameter("metrics", "texts", "metrics: val_acc, val_acc.max", required=True, most=20),
            Parameter("over", "texts", "fields that tell repetitions apart: params.seed", [], most=4),
            ALL,
        ],
    ),
    Endpoint(
        "/api/importance", "What the params of runs that finished tell of a metric: importance and correlation",
        importance, [WHERE, Parameter("metric", "text", "a metric: val_acc, val_acc.max", required=True), ALL],
    ),
    Endpoint(
        "/api/metrics", "The metrics of several runs", metrics_of,
        [Parameter("runs", "texts", "runs by id", required=True, most=MAX_CURVES)],
    ),
    Endpoint(
        "/api/curves", "A metric of several runs as curves, thinned without losing a peak", curves,
        [
            Parameter("runs", "texts", "runs by id", required=True, most=MAX_CURVES), KEY, AXIS,
            Parameter("begin", "number", "the first x to show", least=-math.inf),
            Parameter("end", "number", "the last x to show", least=-math.inf),
            MOST,
            Parameter("smooth", "number", "weight of a moving average, of all points of the series", 0.0, most=0.999),
        ],
    ),
    Endpoint(
        "/api/bands", "Mean, median and spread of a metric's curves in groups of runs that finished", bands,
        [
            WHERE,
            Parameter("by", "texts", "fields whose values form the groups", required=True, most=4),
            Parameter("order", "text", "the metric that ranks the groups [default: their number of points]", ""),
            KEY, AXIS, MOST, ALL,
        ],
    ),
]  # fmt: skip
