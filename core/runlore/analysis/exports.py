"""Write runs and points to files for other programs: Parquet, CSV or JSON, one row per run or per point."""

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runlore._ids import new_suffix
from runlore._text import as_time, cell_text
from runlore.errors import MissingDependency
from runlore.log.points import plain_float
from runlore.log.series import Series
from runlore.store.runs import FIELDS, RecordedRun, RunList

if TYPE_CHECKING:
    import pyarrow

Format = Literal["parquet", "csv", "json"]
Chunk = dict[str, Sequence[Any]]  # columns of equal length, by name
Write = Callable[[Path, Iterator[Chunk]], None]
POINT_COLUMNS = ("run", "name", "key", "split", "step", "epoch", "time", "value")


def export(runs: RunList, folder: Path, kind: Format, *, exact: bool = False) -> list[Path]:
    """Write `runs.<kind>` and `points.<kind>` into a folder, over existing files. Return their paths.

    JSON has one object per line. In CSV and JSON, numbers that are not finite become the texts NaN, Infinity and
    -Infinity. In CSV an apostrophe stands before a text that a spreadsheet would take for a formula, unless `exact`.

    Raises:
        MissingDependency: Parquet needs pyarrow.
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ways: dict[Format, Write] = {
        "parquet": _write_parquet, "csv": partial(_write_csv, exact=exact), "json": _write_json,
    }  # fmt: skip
    write = ways[kind]
    targets = [folder / f"{name}.{kind}" for name in ("runs", "points")]
    for target, writing in zip(targets, (_runs_writer, _points_writer), strict=True):
        with drafted(target) as draft:
            writing(runs, draft, write)
    return targets


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """Give a file to write beside another one; it takes its place at the end, and is gone where that fails.

    What a link names is written, and the link stays. The name of the draft can't be guessed by others who may write
    into the folder.

    Raises:
        FileExistsError: at the place is something else than a file, such as a device.
        OSError: the folder can't be written.
    """
    place = target.resolve()
    if place.exists() and not place.is_file():
        raise FileExistsError(f"{str(target)!r} is no file: name another place")
    draft = place.with_name(f".{place.name[:80]}.{new_suffix(8)}.tmp")
    draft.open("xb").close()
    try:
        yield draft
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def points_of(runs: RunList) -> Iterator[Chunk]:
    """Yield the points of each metric of each run, as columns."""
    for run in runs:
        for key, series in run.metrics.items():
            yield _chunk(run, key, series)


def points_to_arrow(runs: RunList) -> "pyarrow.Table":
    """Return a table with one row per point.

    Raises:
        MissingDependency: pyarrow is not installed.
    """
    pyarrow = _pyarrow()
    schema = _point_schema()
    tables = [pyarrow.table(chunk, schema=schema) for chunk in points_of(runs)]
    return pyarrow.concat_tables(tables) if tables else schema.empty_table()


def _chunk(run: RecordedRun, key: str, series: Series) -> Chunk:
    count = len(series.steps)
    epochs = [None if epoch != epoch else epoch for epoch in series.epochs.tolist()]
    times = [as_time(time) for time in series.times.tolist()]
    fixed = {"run": run.id, "name": run.name, "key": key, "split": series.split}
    told: Chunk = {name: [value] * count for name, value in fixed.items()}
    return {**told, "step": series.steps.tolist(), "epoch": epochs, "time": times, "value": series.values.tolist()}


def _runs_writer(runs: RunList, target: Path, write: Write) -> None:
    rows = runs.to_rows()
    names = list(dict.fromkeys(name for row in rows for name in row)) or list(FIELDS)
    if write is _write_parquet:
        _pyarrow().parquet.write_table(runs.to_arrow(), target)
    else:
        write(target, iter([{name: [row.get(name) for row in rows] for name in names}]))


def _points_writer(runs: RunList, target: Path, write: Write) -> None:
    write(target, points_of(runs))


def _write_parquet(target: Path, chunks: Iterator[Chunk]) -> None:
    pyarrow = _pyarrow()
    schema = _point_schema()
    with pyarrow.parquet.ParquetWriter(target, schema) as writer:
        for chunk in chunks:
            writer.write_table(pyarrow.table(chunk, schema=schema))


def _write_csv(target: Path, chunks: Iterator[Chunk], *, exact: bool) -> None:
    cells = _plain if exact else _cells
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for place, chunk in enumerate(chunks):
            if place == 0:
                writer.writerow(cells(list(chunk)))
            writer.writerows(zip(*map(cells, chunk.values()), strict=True))
        if file.tell() == 0:
            writer.writerow(POINT_COLUMNS)


def _write_json(target: Path, chunks: Iterator[Chunk]) -> None:
    with target.open("w", encoding="utf-8") as file:
        for chunk in chunks:
            for row in zip(*map(_plain, chunk.values()), strict=True):
                item = {name: value for name, value in zip(chunk, row, strict=True) if value is not None}
                file.write(json.dumps(item, ensure_ascii=False) + "\n")


def _plain(column: Sequence[Any]) -> Sequence[Any]:
    """Return a column as texts and numbers that CSV and JSON can hold."""
    kinds = set(map(type, column))
    if kinds.isdisjoint({float, datetime}) or (kinds == {float} and all(map(math.isfinite, column))):
        return column
    return [
        plain_float(value) if isinstance(value, float) else value.isoformat() if isinstance(value, datetime) else value
        for value in column
    ]


def _cells(column: Sequence[Any]) -> Sequence[Any]:
    """Return a column as cells that no spreadsheet takes for a formula."""
    column = _plain(column)
    changed = {text: cell_text(text) for text in {value for value in column if isinstance(value, str)}}
    return [changed.get(value, value) if isinstance(value, str) else value for value in column] if changed else column


def _point_schema() -> Any:
    pyarrow = _pyarrow()
    text, real = pyarrow.string(), pyarrow.float64()
    kinds = [text, text, text, text, pyarrow.int64(), real, pyarrow.timestamp("us", "UTC"), real]
    return pyarrow.schema(list(zip(POINT_COLUMNS, kinds, strict=True)))


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingDependency("Parquet needs pyarrow: pip install 'runlore[arrow]'") from None
    return pyarrow
