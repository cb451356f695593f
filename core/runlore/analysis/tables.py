"""Read tables of runs page by page, or each run after the other; the index filters, sorts and counts."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runlore._text import as_time
from runlore.analysis.columns import telling_columns
from runlore.index.database import Sqlite
from runlore.index.fields import Field
from runlore.index.keys import count_keys, hints_of
from runlore.index.parse import parse_field, parse_sort
from runlore.index.rows import Summary
from runlore.index.select import count_by_experiment, count_of, list_ids, load_runs, read_page, read_states
from runlore.index.sql import compile_query
from runlore.store.runs import RecordedRun
from runlore.store.store import Store

SAMPLE_RUNS = 100  # read to choose columns
PART = 500  # runs in memory at a time
MOST_RUNS = 1 << 40  # that anybody asks for


@dataclass(frozen=True, slots=True)
class Row:
    """A run in a table. `children` counts its children; `values` are in the order of the columns."""

    id: str
    name: str
    experiment: str
    status: str
    started: datetime
    ended: datetime | None
    parent: str | None
    children: int
    tags: dict[str, str]
    values: tuple[Any, ...]
    duration: float | None  # seconds that it ran, as `RecordedRun.duration`


@dataclass(frozen=True, slots=True)
class Table:
    """A page of runs. `total` counts all runs that fulfil the query; `hints` name keys that no run has."""

    columns: tuple[Field, ...]
    total: int
    rows: tuple[Row, ...]
    hints: tuple[str, ...]


def read_table(
    store: Store, where: str = "", columns: Sequence[str] = (), *, sort: str = "", offset: int = 0, limit: int = 100
) -> Table:
    """Return the runs `offset` to `offset + limit` of those that fulfil a query, with the values of some fields.

    `where` and `sort` are those of `Store.runs`. A missing value is None.

    Raises:
        QueryError: the query, the order or a column can't be understood.
    """
    compiled = compile_query(where, time.time)
    order = parse_sort(sort) if sort else []
    fields = [parse_field(text) for text in columns]

    def ask(database: Sqlite) -> Table:
        rows = tuple(_row(*row) for row in read_page(database, compiled, order, fields, offset, limit))
        total = count_of(database, compiled) if offset or len(rows) == limit else len(rows)
        return Table(tuple(fields), total, rows, tuple(hints_of(database, where, compiled, sort, order)))

    return store.ask(ask)


def each_run(store: Store, where: str = "", *, sort: str = "", limit: int | None = None) -> Iterator[RecordedRun]:
    """Find the runs that `Store.runs` returns, and yield them in the memory of a part; removed ones are left out.

    Raises:
        QueryError: the query or the order can't be understood.
    """
    most = None if limit is None else min(limit, MOST_RUNS)
    ids = store.ask(list_ids, compile_query(where, time.time), parse_sort(sort) if sort else [], most)
    if not ids:
        return iter(store.runs(where, sort=sort, limit=limit))  # which warns of keys that no run has
    parts = (ids[begin : begin + PART] for begin in range(0, len(ids), PART))
    return (RecordedRun(store, summary) for part in parts for summary in store.ask(load_runs, part))


def known_keys(store: Store) -> dict[str, dict[str, int]]:
    """Return the keys that runs have, by table of the query language (params, metrics, …), with the number of runs.

    For the environment, which many runs share, it is the number of different environments.
    """
    return store.ask(count_keys)


def suggested_columns(store: Store, where: str = "", most: int = 8) -> list[str]:
    """Return no more than `most` columns that distinguish the newest runs of a query, the best first."""
    return [field.text for field in telling_columns(store.runs(where, limit=SAMPLE_RUNS))[:most]]


def list_experiments(store: Store, where: str = "") -> list[tuple[str, int, datetime]]:
    """Return the experiments of the runs that fulfil a query: name, number of runs, start of the newest.

    The one with the newest run comes first.
    """
    found = store.ask(count_by_experiment, compile_query(where, time.time))
    return [(name, runs, as_time(newest)) for name, runs, newest in found]


def states(store: Store) -> dict[str, tuple[int, int, str]]:
    """Return number of files, their bytes, and status of each run, by id; one of them changes with every addition."""
    return store.ask(read_states)


def _row(summary: Summary, children: int, tags: dict[str, str], values: tuple[Any, ...]) -> Row:
    ended = None if summary.ended is None else as_time(summary.ended)
    return Row(
        summary.id, summary.name, summary.experiment, summary.status, as_time(summary.started), ended, summary.parent,
        children, tags, values, None if summary.ran is None else summary.ran / 1e6,
    )  # fmt: skip
