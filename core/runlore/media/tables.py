"""Tables of users as columns and rows of plain values: taken at the call, and written as JSON holds them later."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Any

from runlore._text import with_article

MAX_ROWS = 10_000
MAX_COLUMNS = 200
MAX_CELL_CHARS = 1000
CELL_BYTES = 32  # about, of a value that is no text
_FIXED = frozenset({int, float, bool, type(None), complex})


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it was at the call: whatever its cells are, nobody changes them; `losses` says what was cut."""

    columns: list[str]
    rows: list[list[Any]]
    losses: list[str]
    size: int  # of its cells, about, in bytes

    def document(self) -> dict[str, Any]:
        """Return it as JSON holds it: `columns` with their names, and `rows`."""
        width = len(self.columns)
        body = [[_cell(value) for value in row] + [None] * (width - len(row)) for row in self.rows]
        return {"columns": self.columns, "rows": body}


def taken(given: Any) -> Table:
    """Return a DataFrame, a list of mappings or of rows, or a mapping of columns as a table.

    Raises:
        ValueError: it is none of these; the message names its type.
    """
    columns, rows, count = _parts(given)
    losses = []
    if count > MAX_ROWS:
        losses.append(f"{count - MAX_ROWS:,} of {count:,} rows left out")
    if len(columns) > MAX_COLUMNS:
        losses.append(f"{len(columns) - MAX_COLUMNS:,} of {len(columns):,} columns left out")
    width = min(len(columns), MAX_COLUMNS)
    fixed = _FIXED | _fixed_numbers()
    body = [
        [value if value.__class__ in fixed else _held(value) for value in islice(row, width)]
        for row in islice(rows, MAX_ROWS)
    ]
    words = sum(len(value) for row in body for value in row if value.__class__ is str)
    return Table([str(name) for name in columns[:width]], body, losses, words + CELL_BYTES * width * len(body))


def _parts(given: Any) -> tuple[list[Any], Iterable[Iterable[Any]], int]:
    """Return the names of the columns, the rows that are kept, and how many there are."""
    if hasattr(given, "itertuples"):  # pandas
        return list(given.columns), given.itertuples(index=False, name=None), len(given)
    if hasattr(given, "iter_rows"):  # polars
        return list(given.columns), given.iter_rows(), len(given)
    if isinstance(given, Mapping):
        found = {name: _listed(values) for name, values in given.items()}
        longest = max((count for _, count in found.values()), default=0)
        columns = [_filled(values, min(longest, MAX_ROWS)) for values, _ in found.values()]
        return list(found), zip(*columns, strict=True), longest
    if hasattr(given, "tolist"):
        count, given = len(given), given[:MAX_ROWS].tolist()
    elif not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise ValueError(f"{with_article(type(given).__qualname__)} is no table: a DataFrame, rows, or columns by name")
    else:
        count, given = len(given), given[:MAX_ROWS]
    if given and all(isinstance(row, Mapping) for row in given):
        names = list(dict.fromkeys(name for row in given for name in row))
        return names, ([row.get(name) for name in names] for row in given), count
    if not all(isinstance(row, Sequence) and not isinstance(row, str | bytes) for row in given):
        raise ValueError("rows are sequences or mappings, all of one kind")
    width = max(map(len, given), default=0)
    return [f"column {place}" for place in range(width)], given, count


def _listed(values: Any) -> tuple[list[Any], int]:
    """Return the first values of a column, and how many it has."""
    if hasattr(values, "tolist") and len(values) > MAX_ROWS:
        first = values.head(MAX_ROWS) if hasattr(values, "head") else values[:MAX_ROWS]
        return first.tolist(), len(values)
    found = list(values.tolist() if hasattr(values, "tolist") else values)
    return found[:MAX_ROWS], len(found)


def _filled(values: list[Any], length: int) -> list[Any]:
    return values + [None] * (length - len(values))


def _fixed_numbers() -> frozenset[type]:
    """Return numpy's classes of single numbers, if it is loaded."""
    numpy = sys.modules.get("numpy")
    return frozenset() if numpy is None else frozenset(numpy.sctypeDict.values()) - {numpy.object_, numpy.void}


def _held(value: Any) -> Any:
    """Return a value that nobody changes: a text as long as it is kept, others as JSON holds them."""
    if value.__class__ is str:
        return value if len(value) <= MAX_CELL_CHARS else _cut(value)
    return value if isinstance(value, date | timedelta) else _cell(value)  # datetimes are dates


def _cell(value: Any) -> Any:
    """Return a value of a cell as JSON holds it: others as text, NaN and infinities, too."""
    if value.__class__ is str:
        return value
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CELL_CHARS else f"{text[:MAX_CELL_CHARS]}…"
