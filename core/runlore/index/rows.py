"""Rows of the index: made of the records of runs, and read back as summaries."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from runlore.artifacts.blobs import Blobs
from runlore.errors import ArtifactNotFound
from runlore.index.database import BY_RUN, DAMAGED, LIVE, Sqlite
from runlore.log.folder import Folder
from runlore.log.points import Tally
from runlore.log.record import Record
from runlore.log.values import Plain, is_list, text_of

INT64 = 1 << 63  # integers below it, and from its negative on, fit a column
RUN_COLUMNS = (
    "n, id, name, experiment, status, parent, started, ended, lost, damaged, ran"  # the first fields of a Summary
)
MAX_NUMBERS = 500  # of runs in one statement; for more, the whole table is read

Row = tuple[Any, ...]


class Batch:
    """Collects the rows of many runs, to insert them table by table. `first` is the number of the next new run."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._tables: dict[str, list[Row]] = {name: [] for name in ("runs", *BY_RUN)}
        self.files: list[Row] = []

    def add(self, record: Record, tallies: Mapping[str, Tally], number: int | None) -> None:
        """Add the rows of a run and of its series, under its known number or a new one."""
        if number is None:
            number = self._next
            self._next += 1
        tables = self._tables
        tables["runs"].append(
            (
                number,
                record.id,
                _text(record.name),
                _text(record.experiment),
                record.status,
                _text(record.parent),
                record.started,
                record.ended,
                LIVE if record.live else DAMAGED if record.is_damaged else 0,
                record.lost_calls,
                record.damaged_bytes,
                record.ran,
            )
        )
        tables["params"] += [(number, key, *value_columns(value)) for key, value in record.params.items()]
        tables["summary"] += [(number, key, *value_columns(value)) for key, value in record.summary.items()]
        tables["tags"] += [(number, key, "str", None, _text(value)) for key, value in record.tags.items()]
        tables["metrics"] += [(number, key, *_tally_columns(tally)) for key, tally in tallies.items()]
        tables["sections"] += [(number, section, item["sha256"]) for section, item in record.environment.items()]
        for position, item in enumerate(record.artifacts):
            texts = [_text(item.get(key)) for key in ("name", "kind", "sha256")]
            flags = [int(bool(item.get(key))) for key in ("pending", "stored")]
            numbers = (_whole(item.get("size")), _whole(item.get("step")), *flags)
            tables["artifacts"].append((number, position, *texts, *numbers))
            if item.get("kind") != "code":  # every run has it, and none made it
                members = item.get("files", ())
                tables["members"] += [(number, position, str(path), str(sha)) for path, _, sha in members]
        for position, link in enumerate(record.links):
            target, sha256 = str(link["run"]), _text(link.get("sha256"))
            tables["links"].append((number, position, _text(link["kind"]), target, _whole(link.get("step")), sha256))
        for sha256, found in record.weights.items():
            tables["weights"] += [(number, sha256, kind, item) for kind, hashes in found.items() for item in hashes]
        for name, facts in record.data.items():
            tables["data"] += [(number, f"{name}.{key}", *value_columns(value)) for key, value in facts.items()]

    def insert_into(self, database: Sqlite) -> None:
        """Insert all rows, within a transaction."""
        for table, rows in self._tables.items():
            database.insert(table, rows)
        database.insert("files", self.files)


@dataclass(slots=True)
class Summary:
    """The row of a run with its params, summary, tags and metrics. Times are µs since 1970."""

    n: int
    id: str
    name: str
    experiment: str
    status: str
    parent: str | None
    started: int
    ended: int | None
    lost_calls: int
    damaged_bytes: int
    ran: int | None
    params: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Tally] = field(default_factory=dict)


def load_summaries(database: Sqlite, numbers: Sequence[int]) -> list[Summary]:
    """Return the runs with these numbers, in this order; numbers without a run are left out."""
    found: dict[int, Summary] = {}
    for row in _select(database, RUN_COLUMNS, "runs", "n", numbers):
        found[row[0]] = Summary(*row)
    for table in ("params", "summary"):
        for n, key, kind, num, text in _select(database, "run, key, kind, num, text", table, "run", numbers):
            if n in found:
                getattr(found[n], table)[key] = _value_of(kind, num, text)
    for n, key, text in _select(database, "run, key, text", "tags", "run", numbers):
        if n in found:
            found[n].tags[key] = text
    columns = "run, key, split, last, min, max, count, last_step"
    for n, key, split, last, low, high, count, last_step in _select(database, columns, "metrics", "run", numbers):
        if n in found:
            found[n].metrics[key] = Tally(split, count, math.nan if last is None else last, last_step, low, high)
    return [found[number] for number in numbers if number in found]


def value_columns(value: Plain) -> tuple[str, float | None, str | None]:
    """Return kind, number and text of a value from a record."""
    if value is None:
        return "none", None, None
    if isinstance(value, bool):
        return "bool", int(value), str(value)
    if isinstance(value, int):
        if -INT64 <= value < INT64:
            return "int", value, str(value)
        try:
            return "int", float(value), str(value)
        except OverflowError:
            return "int", None, str(value)
    if isinstance(value, float):
        return "float", value, repr(value)
    if isinstance(value, str):
        return "str", None, value
    if "$float" in value:
        number = float(value["$float"])
        return "float", None if math.isnan(number) else number, str(value["$float"])
    return "list" if is_list(value) else "obj", _exact_number(value), text_of(value)


def _exact_number(value: dict[str, Any]) -> float | None:
    """Return the float of a Decimal or a Fraction."""
    if not isinstance(value, dict) or value.get("$type") not in ("decimal.Decimal", "fractions.Fraction"):
        return None
    try:
        number = float(Fraction(str(value.get("text"))))
    except (ValueError, ZeroDivisionError, OverflowError):  # NaN, infinite, or damaged
        return None
    return number


def environment_rows(folder: Folder, section: str, item: dict[str, Any]) -> Iterator[Row]:
    """Yield the rows of a section of the environment; none where its blob is missing or no JSON."""
    for key, value in read_section(folder, item).items():
        yield (section, str(item["sha256"]), f"{section}.{key}", *value_columns(value))


def read_section(folder: Folder, item: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a section of the environment, from its event or its blob; empty where it is missing."""
    if item.get("values") is not None:
        return dict(item["values"])
    try:
        found = json.loads(Blobs(folder.blobs).read(item["sha256"]))
    except (ArtifactNotFound, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and -INT64 <= value < INT64 else None


def _tally_columns(tally: Tally) -> Row:
    last = None if math.isnan(tally.last) else tally.last
    return tally.split, last, tally.min, tally.max, tally.count, tally.last_step


def _value_of(kind: str, num: float | None, text: str | None) -> Any:
    if kind == "none":
        return None
    if kind == "bool":
        return bool(num)
    if kind == "int":
        return int(text or 0)
    if kind == "list":
        return json.loads(text or "[]")
    return float(text or "nan") if kind == "float" else text


def _select(database: Sqlite, columns: str, table: str, key: str, numbers: Sequence[int]) -> list[Row]:
    """Return columns of the rows whose `key` is among some numbers; the rows of all runs, where these are many."""
    if len(numbers) > MAX_NUMBERS:
        return database.query(f"SELECT {columns} FROM {table}")
    marks = ", ".join("?" * len(numbers))
    return database.query(f"SELECT {columns} FROM {table} WHERE {key} IN ({marks})", numbers) if numbers else []
