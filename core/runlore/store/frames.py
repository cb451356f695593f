"""Rows as tables of pandas, polars and arrow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runlore.log.frames import is_int64

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

Rows = list[dict[str, Any]]


def to_pandas(rows: Rows, names: Sequence[str]) -> "pandas.DataFrame":
    """Return rows as a table; without any, one with these columns."""
    import pandas

    return pandas.DataFrame(rows, columns=None if rows else list(names))


def to_polars(rows: Rows) -> "polars.DataFrame":
    """Return rows as a table."""
    import polars

    return polars.DataFrame(_even_columns(rows), infer_schema_length=None, strict=False)


def to_arrow(rows: Rows, names: Sequence[str]) -> "pyarrow.Table":
    """Return rows as a table; without any, one with these columns.

    Columns without values get a type by their names: times, numbers for metrics and durations, else texts.
    """
    import pyarrow

    table = pyarrow.table(_even_columns(rows) or {name: [] for name in names})
    empty = {name for name in table.column_names if pyarrow.types.is_null(table.column(name).type)}
    kinds = {"started": pyarrow.timestamp("us", "UTC"), "ended": pyarrow.timestamp("us", "UTC")}
    kinds |= {name: pyarrow.float64() for name in empty if name.startswith("metrics.") or name == "duration_s"}
    for place, name in enumerate(table.column_names):
        if name in empty:
            column = table.column(name).cast(kinds.get(name, pyarrow.string()))
            table = table.set_column(place, name, column)
    return table


def _even_columns(rows: Rows) -> dict[str, list[Any]]:
    """Return columns of one type each, as Arrow needs them: mixed numbers become floats, all other mixtures text.

    So do whole numbers beyond 64 bits, which no type of a column holds exactly.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    for name, values in columns.items():
        kinds = {type(value) for value in values if value is not None}
        large = int in kinds and any(type(value) is int and not is_int64(value) for value in values)
        if len(kinds) > 1 or large:
            numbers = kinds <= {int, float} and not large
            columns[name] = [None if value is None else float(value) if numbers else str(value) for value in values]
    return columns
