"""Rows of the index: made of the records of runs, and read back as summaries."""

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from runlore._ids import sha256_of
from runlore.artifacts.blobs import Blobs
from runlore.errors import ArtifactNotFound
from runlore.index.database import BY_RUN, DAMAGED, LIVE, SILENT, Sqlite, chunks
from runlore.log.events import are_plain
from runlore.log.folder import Folder
from runlore.log.frames import DecodeError, load_json
from runlore.log.points import Tally, plain_float
from runlore.log.record import Record
from runlore.log.values import Plain, is_list, listed_value, text_of

INT64 = 1 << 63  # integers below it, and from its negative on, fit a column
RUN_COLUMNS = (
    "n, id, name, experiment, status, parent, started, ended, lost, damaged, ran"  # the first fields of a Summary
)
MAX_SECTION_BYTES = 16 << 20  # of the sections of one run's environment in blobs, all together

Row = tuple[Any, ...]
_encode = json.JSONEncoder(ensure_ascii=False).encode


class Shape(NamedTuple):
    """The keys of a run's values, each in the order in which `held` has the values; most runs of a script share them.

    `captured` are those of the params that nobody passed.
    """

    params: Sequence[str] = ()
    captured: Sequence[str] = ()
    summary: Sequence[str] = ()
    tags: Sequence[str] = ()
    metrics: Sequence[str] = ()


NO_KEYS = Shape()


class Shared:
    """Numbers what many runs have alike, to store it once: the keys of their values, and their environments.

    What is new is inserted at once, within a transaction.
    """

    def __init__(self, database: Sqlite) -> None:
        self._database = database
        self._shapes: dict[tuple[object, ...], tuple[int, Shape]] = {}  # by the keys as they were recorded
        self._environments: dict[tuple[object, ...], int] = {}  # likewise by sections and their hashes

    def shape_of(self, record: Record, tallies: Mapping[str, Tally]) -> tuple[int, Shape]:
        """Return the shape of a run's values, and its number."""
        tables = (record.params, record.summary, record.tags, tallies)
        recorded = (*(tuple(values) for values in tables), frozenset(record.captured))
        if recorded not in self._shapes:
            captured = record.captured & record.params.keys()
            shape = Shape(*map(sorted, (record.params, captured, record.summary, record.tags, tallies)))
            number, _ = self._number_of("shapes", _encode(shape))
            self._shapes[recorded] = number, shape
        return self._shapes[recorded]

    def environment_of(self, record: Record) -> int:
        """Return the number of a run's environment."""
        recorded = tuple((section, str(item["sha256"])) for section, item in record.environment.items())
        if recorded not in self._environments:
            number, is_new = self._number_of("environments", _encode(sorted(recorded)))
            if is_new:
                self._database.insert("sections", [(number, *item) for item in recorded])
            self._environments[recorded] = number
        return self._environments[recorded]

    def _number_of(self, table: str, text: str) -> tuple[int, bool]:
        """Return the number of a text in a table, and whether it is new there."""
        sha256 = sha256_of(text.encode("utf-8", "surrogatepass"))
        for (number,) in self._database.query(f"SELECT n FROM {table} WHERE sha256 = ?", (sha256,)):
            return int(number), False
        ((number,),) = self._database.query(f"SELECT COALESCE(MAX(n), 0) + 1 FROM {table}")
        self._database.insert(table, [(number, sha256, text)])
        return int(number), True


class Batch:
    """Collects the rows of many runs, to insert them table by table; of params only those with keys that were asked."""

    def __init__(self, shared: Shared, asked: Collection[str] = ()) -> None:
        self._shared = shared
        self._asked = asked
        self._tables: dict[str, list[Row]] = {name: [] for name in ("runs", *BY_RUN, "params")}
        self._shapes: list[Shape] = []  # of each run
        self.files: list[Row] = []

    def add(self, record: Record, tallies: Mapping[str, Tally], number: int, state: int = 0) -> None:
        """Add the rows of a run and of its series, under its number.

        `state` is the value of `live` where the run is neither live nor damaged.
        """
        known, shape = self._shared.shape_of(record, tallies)
        for table, rows in _rows_of(record, tallies, number).items():
            self._tables[table] += rows
        self._tables["runs"].append((*_run_row(record, number, state), self._shared.environment_of(record)))
        self._tables["held"].append((number, known, _held_text(shape, record, tallies)))
        self._shapes.append(shape)
        params = record.params
        keys = [key for key in self._asked if params.get(key) is not None]
        if _has(params.values(), dict):
            keys += [key for key, value in params.items() if value.__class__ is dict and key not in self._asked]
        self._tables["params"] += [(number, key, *value_columns(params[key])) for key in keys]

    def insert_into(self, database: Sqlite) -> None:
        """Insert all rows and count their keys, within a transaction."""
        for table, rows in self._tables.items():
            database.insert(table, rows)
        database.insert("files", self.files)
        counts = Counter(("data", row[1]) for row in self._tables["data"])
        runs = Counter(map(id, self._shapes))
        for shape in {id(shape): shape for shape in self._shapes}.values():
            for table in ("params", "summary", "tags", "metrics"):
                counts.update({(table, key): runs[id(shape)] for key in getattr(shape, table)})
        database.count(counts)


def _rows_of(record: Record, tallies: Mapping[str, Tally], number: int) -> dict[str, list[Row]]:
    """Return the rows of what a run has, and of its series, by table."""
    tables = _artifact_rows(record, number)
    tables["summary"] = [(number, key, *value_columns(value)) for key, value in record.summary.items()]
    tables["tags"] = [(number, key, "str", None, _text(value)) for key, value in record.tags.items()]
    tables["metrics"] = [(number, key, *_tally_columns(tally)) for key, tally in tallies.items()]
    tables["links"] = [
        (number, position, _text(link["kind"]), str(link["run"]), _whole(link.get("step")), _text(link.get("sha256")))
        for position, link in enumerate(record.links)
    ]
    tables["weights"] = [
        (number, sha256, kind, item)
        for sha256, found in record.weights.items()
        for kind, hashes in found.items()
        for item in hashes
    ]
    tables["data"] = [
        (number, f"{name}.{key}", *value_columns(value))
        for name, facts in record.data.items()
        for key, value in facts.items()
    ]
    return tables


def _run_row(record: Record, number: int, state: int) -> Row:
    return (
        number,
        record.id,
        _text(record.name),
        _text(record.experiment),
        record.status,
        _text(record.parent),
        record.started,
        record.ended,
        SILENT if record.silent else LIVE if record.live else DAMAGED if record.is_damaged else state,
        _bounded(sum(record.lost.values())),
        _bounded(record.damaged_bytes),
        _bounded(record.ran),
        "\n\n".join(note["text"] for note in record.notes) or None,
    )


def _artifact_rows(record: Record, number: int) -> dict[str, list[Row]]:
    rows: list[Row] = []
    members: list[Row] = []
    for position, item in enumerate(record.artifacts):
        texts = [_text(item.get(key)) for key in ("name", "kind", "sha256")]
        flags = [int(bool(item.get(key))) for key in ("pending", "stored")]
        rows.append((number, position, *texts, _whole(item.get("size")), _whole(item.get("step")), *flags))
        if item.get("kind") != "code":  # every run has it, and none made it
            members += [(number, position, str(path), str(sha)) for path, _, sha in item.get("files", ())]
    return {"artifacts": rows, "members": members}


@dataclass(slots=True)
class Summary:
    """The row of a run. Times are µs since 1970; `held` is what `values_of` reads."""

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
    shape: Shape = NO_KEYS
    held: str = "[[], [], [], []]"


class Values(NamedTuple):
    """The values that were recorded of a run, by key. `captured` are the params that nobody passed."""

    params: dict[str, Any]
    captured: frozenset[str]
    summary: dict[str, Any]
    tags: dict[str, str]
    metrics: dict[str, Tally]


def values_of(summary: Summary) -> Values:
    """Return the values of a run."""
    shape = summary.shape
    params, results, tags, metrics = json.loads(summary.held)
    return Values(
        dict(zip(shape.params, _listed(params), strict=True)),
        frozenset(shape.captured),
        dict(zip(shape.summary, _listed(results), strict=True)),
        dict(zip(shape.tags, tags, strict=True)),
        {
            key: Tally.of(split, count, (last_step, math.nan if last is None else last), (low, high))
            for key, (split, last, low, high, count, last_step) in zip(shape.metrics, metrics, strict=True)
        },
    )


def load_summaries(database: Sqlite, numbers: Sequence[int]) -> list[Summary]:
    """Return the runs with these numbers, in this order; numbers without a run are left out."""
    found: dict[int, Summary] = {}
    for marks, some in chunks(numbers):
        sql = f"SELECT {RUN_COLUMNS}, shape, text FROM runs JOIN held ON run = n WHERE n IN {marks}"
        rows = database.query(sql, some)
        shapes = load_shapes(database, [row[-2] for row in rows])
        for *row, shape, text in rows:
            found[row[0]] = Summary(*(*row, shapes[shape], text))
    return [found[number] for number in numbers if number in found]


def load_shapes(database: Sqlite, numbers: Iterable[int]) -> dict[int, Shape]:
    """Return the shapes with some numbers."""
    found: dict[int, Shape] = {}
    for marks, some in chunks(sorted(set(numbers))):
        rows = database.query(f"SELECT n, keys FROM shapes WHERE n IN {marks}", some)
        found |= {number: Shape(*json.loads(text)) for number, text in rows}
    return found


def texts_of(shape: Shape, held: str) -> dict[str, str]:
    """Return the params that `held` has of a run, each as its text."""
    return {
        key: str(value[0]) if value.__class__ is list else _text_of(value)
        for key, value in zip(shape.params, json.loads(held)[0], strict=True)
    }


def param_row(number: int, key: str, value: Any) -> Row | None:
    """Return the row of a param as `held` has it; None where there is one already, or no value.

    Of a list, another object or a NaN that text does not tell all.
    """
    kind = value.__class__
    if value is None or kind is list or (kind is float and not math.isfinite(value)):
        return None
    return (number, key, *value_columns(value))


def _text_of(value: Any) -> str:
    return str(plain_float(value)) if value.__class__ is float else str(value)


def _held_text(shape: Shape, record: Record, tallies: Mapping[str, Tally]) -> str:
    """Return the text of a run's values, without their keys, that `values_of` reads."""
    params = _all_held([record.params[key] for key in shape.params])
    results = _all_held([record.summary[key] for key in shape.summary])
    tags = [_text(record.tags[key]) for key in shape.tags]
    return _encode([params, results, tags, [_tally_columns(tallies[key]) for key in shape.metrics]])


def _all_held(values: list[Plain]) -> list[Any]:
    """Return values from a record as the text holds them: one in a list is the text of a list."""
    if not _has(values, dict):
        return values
    return [
        value if not isinstance(value, dict) else [text_of(value)] if is_list(value) else listed_value(value)
        for value in values
    ]


def _listed(values: list[Any]) -> list[Any]:
    """Return values with lists in the place of their texts."""
    if not _has(values, list):
        return values
    return [json.loads(value[0]) if value.__class__ is list else value for value in values]


def _has(values: Iterable[Any], kind: type) -> bool:
    """Return True if a value is of a type; sooner than a loop over all of them."""
    return kind in map(type, values)


def value_columns(value: Plain) -> tuple[str, float | None, str | None]:
    """Return kind, number and text of a value from a record; no text where the number tells all."""
    if isinstance(value, float):  # the most usual ones first
        return "float", value, None
    if isinstance(value, str):
        return "str", None, value
    if value is None:
        return "none", None, None
    if isinstance(value, bool):
        return "bool", int(value), str(value)
    if isinstance(value, int):
        if -INT64 <= value < INT64:
            return "int", value, None
        try:
            return "int", float(value), str(value)
        except OverflowError:
            return "int", None, str(value)
    if "$float" in value:
        number = float(value["$float"])
        return "float", None if math.isnan(number) else number, str(value["$float"])
    return "list" if is_list(value) else "obj", _exact_number(value), text_of(value)


def _exact_number(value: dict[str, Any]) -> float | None:
    """Return the float of a Decimal or a Fraction."""
    if not isinstance(value, dict) or value.get("$type") not in ("decimal.Decimal", "fractions.Fraction"):
        return None
    try:
        text = str(value.get("text"))
        above, bar, below = text.partition("/")
        number = (
            float(Fraction(int(above), int(below))) if bar else float(text)
        )  # a Fraction of "1e999999999" never ends
    except (ValueError, ZeroDivisionError, OverflowError):  # NaN, infinite, or damaged
        return None
    return number if math.isfinite(number) else None


class Sections:
    """The sections of one run's environment, read as long as there is room for them in all."""

    def __init__(self, folder: Folder) -> None:
        self._blobs = Blobs(folder.blobs)
        self._room = MAX_SECTION_BYTES

    def read(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a section, from its event or its blob; empty where it has none, or too many."""
        if item.get("values") is not None:
            return dict(item["values"])
        try:
            data = self._blobs.read(item["sha256"], self._room)
            self._room -= len(data)
            found = load_json(data)
        except (ArtifactNotFound, OSError, DecodeError):
            return {}
        return found if are_plain(found) else {}

    def rows(self, section: str, item: dict[str, Any]) -> Iterator[Row]:
        """Yield the rows of a section; none where its blob is missing or no JSON."""
        for key, value in self.read(item).items():
            yield (section, str(item["sha256"]), f"{section}.{key}", *value_columns(value))


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _bounded(value: int | None) -> int | None:
    """Return a sum of whole numbers as one of 64 bits."""
    return None if value is None else max(-INT64, min(value, INT64 - 1))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and -INT64 <= value < INT64 else None


def _tally_columns(tally: Tally) -> Row:
    last = None if math.isnan(tally.last) else tally.last
    return tally.split, last, tally.min, tally.max, tally.count, tally.last_step
