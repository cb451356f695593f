"""Tables of users as columns and rows of plain values."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

MAX_ROWS = 10_000
MAX_COLUMNS = 200
MAX_CELL_CHARS = 1000

Rows = tuple[list[str], list[list[Any]], list[str]]  # names of the columns, rows, and what was cut


def table_of(given: Any) -> Rows:
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
    body = [[_cell(value) for value in islice(row, width)] for row in islice(rows, MAX_ROWS)]
    for row in body:
        row += [None] * (width - len(row))
    return [str(name) for name in columns[:width]], body, losses


def _parts(given: Any) -> tuple[list[Any], Iterable[Iterable[Any]], int]:
    """Return the names of the columns, the rows, and how many these are."""
    if hasattr(given, "itertuples"):  # pandas
        return list(given.columns), given.itertuples(index=False, name=None), len(given)
    if hasattr(given, "iter_rows"):  # polars
        return list(given.columns), given.iter_rows(), len(given)
    if isinstance(given, Mapping):
        columns = {name: _listed(values) for name, values in given.items()}
        longest = max(map(len, columns.values()), default=0)
        return list(columns), zip(*(_filled(values, longest) for values in columns.values()), strict=True), longest
    if hasattr(given, "tolist"):
        given = given.tolist()
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise ValueError(f"a {type(given).__qualname__} is no table: a DataFrame, rows, or columns by name")
    if given and all(isinstance(row, Mapping) for row in given):
        names = list(dict.fromkeys(name for row in given for name in row))
        return names, ([row.get(name) for name in names] for row in given), len(given)
    if not all(isinstance(row, Sequence) and not isinstance(row, str | bytes) for row in given):
        raise ValueError("rows are sequences or mappings, all of one kind")
    width = max(map(len, given), default=0)
    return [f"column {place}" for place in range(width)], given, len(given)


def _listed(values: Any) -> list[Any]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _filled(values: list[Any], length: int) -> list[Any]:
    return values + [None] * (length - len(values))


def _cell(value: Any) -> Any:
    """Return a value of a cell as JSON holds it: others as text, NaN and infinities, too."""
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = str(value)
    return text if len(text) <= MAX_CELL_CHARS else f"{text[:MAX_CELL_CHARS]}…"
