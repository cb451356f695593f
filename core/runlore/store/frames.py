"""Turn runs into tables of pandas, polars and arrow."""

from typing import Any


def _even_columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Columns of one type each: mixed ones become text, as Arrow's columns need."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    for name, values in columns.items():
        kinds = {type(value) for value in values if value is not None}
        if len(kinds) > 1:
            numbers = kinds <= {int, float}
            columns[name] = [None if value is None else float(value) if numbers else str(value) for value in values]
    return columns
