"""Tables of runs page by page: some columns of some runs, counted and sorted by the index."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runlore._text import as_time
from runlore.analysis.columns import telling_columns
from runlore.index import query
from runlore.index.query import Field, field_of
from runlore.index.select import count_keys, count_of, hints_of, read_page, read_states

if TYPE_CHECKING:
    from runlore.index.database import Sqlite
    from runlore.store.store import Store


SAMPLE = 100  # runs that are looked at to choose columns


@dataclass(frozen=True, slots=True)
class Row:
    """A run in a table; `children` counts those that it has, `values` stand in the order of the columns."""

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

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None while it runs."""
        return None if self.ended is None else (self.ended - self.started).total_seconds()


@dataclass(frozen=True, slots=True)
class Table:
    """A page of runs: `total` counts all that fulfil the query. `hints` tell of keys that no run has."""

    columns: tuple[Field, ...]
    total: int
    rows: tuple[Row, ...]
    hints: tuple[str, ...]


def read_table(
    store: "Store", where: str = "", columns: Sequence[str] = (), *, sort: str = "", offset: int = 0, limit: int = 100
) -> Table:
    """The runs `offset` to `offset + limit` of those that fulfil a query, with the values of some fields.

    `where` and `sort` are those of `Store.runs`. A missing value is None; so is a NaN that was a metric's last value.

    Raises:
        QueryError: the query, the order or a column can't be understood.
    """
    compiled = query.compile_query(where, time.time)
    order = query.parse_sort(sort) if sort else []
    fields = [field_of(text) for text in columns]

    def ask(database: "Sqlite") -> Table:
        rows = tuple(_row(*row) for row in read_page(database, compiled, order, fields, offset, limit))
        total = count_of(database, compiled) if offset or len(rows) == limit else len(rows)
        return Table(tuple(fields), total, rows, tuple(hints_of(database, where, compiled, sort, order)))

    return store.ask(ask)


def _row(summary: Any, children: int, values: tuple[Any, ...]) -> Row:
    ended = None if summary.ended is None else as_time(summary.ended)
    return Row(
        summary.id, summary.name, summary.experiment, summary.status, as_time(summary.started), ended, summary.parent,
        children, dict(summary.tags), values,
    )  # fmt: skip


def known_keys(store: "Store") -> dict[str, dict[str, int]]:
    """By table of the query language (params, metrics, …) the keys that runs have, and how many have each.

    Of the environment, which many runs share, the count is that of different contents.
    """
    return store.ask(count_keys)


def suggested_columns(store: "Store", where: str = "", most: int = 8) -> list[str]:
    """The columns that tell the newest runs of a query apart, the most telling first."""
    return [field.text for field in telling_columns(store.runs(where, limit=SAMPLE))[:most]]


def states(store: "Store") -> dict[str, tuple[int, int, str]]:
    """For each run how many files it has, their bytes, and its status: what differs when something was added to it."""
    return store.ask(read_states)
