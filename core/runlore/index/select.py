"""Questions to the index: which runs fulfil a condition, in which order; which run a part of an id means."""

import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from runlore.errors import QueryError
from runlore.index import query
from runlore.index.database import Sqlite
from runlore.index.query import BARE, Compiled, Field
from runlore.index.rows import RUN_COLUMNS, Summary, load_summaries

_TEXT = "CASE WHEN s{0}.kind = 'str' THEN s{0}.text END"  # NaN's text is none to sort by
SHORTEST = 3  # characters of an id that may stand for it
VARIED = 100  # params that are looked at, at most
Order = list[tuple[Field, bool]]


def select(database: Sqlite, compiled: Compiled, order: Order, limit: int | None) -> list[Summary]:
    """The runs that fulfil a condition.

    Raises:
        QueryError: the condition is more than the database can take.
    """
    try:
        return load_summaries(database, _numbers(database, compiled, order, limit))
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "no such table" in str(error):
            raise
        raise QueryError(f"this query is too large for the index: {error}", "", 0) from error


def values_of(database: Sqlite, compiled: Compiled, fields: Sequence[Field]) -> list[tuple[Any, ...]]:
    """Id, name, and the values of some fields, of the runs that fulfil a condition; None for what is missing."""
    return _values(database, ["r.id", "r.name"], fields, f"{compiled.sql} ORDER BY r.id", compiled.arguments)


def _values(
    database: Sqlite, columns: list[str], fields: Sequence[Field], condition: str, arguments: Sequence[Any]
) -> list[tuple[Any, ...]]:
    joins: list[str] = []
    keys: list[Any] = []
    for place, field in enumerate(fields):
        if not field.table:
            columns.append("(r.ended - r.started) / 1000000.0" if field.column == "duration" else f"r.{field.column}")
            continue
        joins.append(_join(field, place, keys))
        plain = f"CASE WHEN s{place}.kind = 'bool' THEN s{place}.text ELSE COALESCE(s{place}.num, s{place}.text) END"
        columns.append(f"s{place}.{field.column}" if field.table == "metrics" else plain)
    sql = f"SELECT {', '.join(columns)} FROM runs r {' '.join(joins)} WHERE {condition}"
    return database.query(sql, [*keys, *arguments])


Line = tuple[Summary, int, tuple[Any, ...]]


def read_page(
    database: Sqlite, compiled: Compiled, order: Order, fields: Sequence[Field], offset: int, limit: int
) -> list[Line]:
    """Of some of the runs that fulfil a condition: what they are, how many children they have, and some values.

    Of the summary only the run's own columns and its tags are there.
    """
    numbers = _numbers(database, compiled, order, limit, offset)
    if not numbers:
        return []
    marks = f"({', '.join('?' * len(numbers))})"
    own = [f"r.{name}" for name in RUN_COLUMNS.split(", ")]
    rows = _values(database, list(own), fields, f"r.n IN {marks}", numbers)
    found = {row[0]: (Summary(*row[: len(own)]), row[len(own) :]) for row in rows}
    for n, key, text in database.query(f"SELECT run, key, text FROM tags WHERE run IN {marks}", numbers):
        found[n][0].tags[key] = text
    ids = [summary.id for summary, _ in found.values()]
    parents = database.query(f"SELECT parent FROM runs WHERE parent IN {marks}", ids)
    children = Counter(parent for (parent,) in parents)
    return [(found[n][0], children[found[n][0].id], found[n][1]) for n in numbers if n in found]


def list_names(database: Sqlite) -> list[str]:
    """Return the names that runs have, each once."""
    return [str(name) for (name,) in database.query("SELECT DISTINCT name FROM runs")]


def list_damaged(database: Sqlite) -> list[str]:
    """Return the ids of the runs with damaged files."""
    return [run_id for (run_id,) in database.query("SELECT id FROM runs WHERE damaged > 0")]


def read_states(database: Sqlite) -> dict[str, tuple[int, int, str]]:
    """Return for each run how many files it has, their bytes, and its status."""
    columns = "r.id, r.status, COUNT(*), SUM(f.size)"
    rows = database.query(f"SELECT {columns} FROM runs r JOIN files f ON f.run = r.id GROUP BY r.id, r.status")
    return {run_id: (files, size, status) for run_id, status, files, size in rows}


def count_of(database: Sqlite, compiled: Compiled) -> int:
    """How many runs fulfil a condition."""
    return int(database.query(f"SELECT COUNT(*) FROM runs r WHERE {compiled.sql}", compiled.arguments)[0][0])


def count_keys(database: Sqlite) -> dict[str, dict[str, int]]:
    """Return by table of the query language the keys that runs have, and how many rows have each."""
    counted = "SELECT key, COUNT(*) FROM {} GROUP BY key ORDER BY key"
    return {table: dict(database.query(counted.format(table))) for table in query.TABLES}


def hints_of(database: Sqlite, where: str, compiled: Compiled, sort: str, order: Order) -> list[str]:
    """What may have been meant where a query or an order names keys that no run has."""
    known = partial(other_keys, database), partial(elsewhere, database)
    found = query.hints(where, compiled.fields, *known)
    return found + query.hints(sort, [field for field, _ in order], *known)


def other_keys(database: Sqlite, field: Field) -> list[str]:
    """The keys that the runs have in a field's table; none where some run has the field's own."""
    if has_key(database, field):
        return []
    return [key for (key,) in database.query(f"SELECT DISTINCT key FROM {field.table}")]


def elsewhere(database: Sqlite, field: Field) -> list[Field]:
    """The fields of other tables that have a field's key; none where its own table has it."""
    if has_key(database, field):
        return []
    others = (Field(table, field.key, "last" if table == "metrics" else "", field.place) for table in BARE)
    return [other for other in others if other.table != field.table and has_key(database, other)]


def has_key(database: Sqlite, field: Field) -> bool:
    """Whether some run has the key of a field."""
    return bool(database.query(f"SELECT 1 FROM {field.table} WHERE key = ? LIMIT 1", (field.key,)))


def varied_params(database: Sqlite, compiled: Compiled, but: Collection[str]) -> dict[str, dict[str, str]]:
    """The params that runs which fulfil a condition don't have alike: by key, the text of each one's value, by id.

    Those of the fewest values come first, and of very many only those.
    """
    runs = f"FROM runs r WHERE {compiled.sql}"
    sql = (
        f"SELECT key FROM params WHERE run IN (SELECT r.n {runs}) GROUP BY key "
        f"HAVING COUNT(DISTINCT kind || text) > 1 OR COUNT(*) < (SELECT COUNT(*) {runs}) "
        "ORDER BY COUNT(DISTINCT kind || text), key"
    )
    keys = [key for (key,) in database.query(sql, [*compiled.arguments] * 2) if key not in but][:VARIED]
    found: dict[str, dict[str, str]] = {key: {} for key in keys}
    marks = ", ".join("?" * len(keys))
    sql = f"SELECT p.key, r.id, p.text FROM params p JOIN runs r ON r.n = p.run WHERE p.key IN ({marks})"
    for key, run_id, text in database.query(sql, keys) if keys else ():
        found[key][run_id] = str(text)
    return found


def resolve(database: Sqlite, part: str) -> list[Summary]:
    """The runs that a part of an id or a name may mean, newest first: the first of id, name, end, part that has any."""
    part = str(part).encode("utf-8", "replace").decode()
    tests: list[tuple[str, str]] = [("id = ?", part), ("name = ?", part)]
    if part.isalnum() and len(part) >= SHORTEST:
        tests += [("id LIKE ?", f"%{part.lower()}"), ("id LIKE ?", f"%{part.lower()}%")]
    for test, argument in tests:
        rows = database.query(f"SELECT n FROM runs WHERE {test} ORDER BY id DESC", (argument,))
        if rows:
            return load_summaries(database, [number for (number,) in rows])
    return []


def _numbers(database: Sqlite, compiled: Compiled, order: Order, limit: int | None, offset: int = 0) -> list[int]:
    if len(order) == 1 and order[0][0].table in ("metrics", "params") and limit is not None:
        found = _first_by_key(database, compiled, order[0][0], order[0][1], offset + limit)
        if found is not None:
            return found[offset:]
    joins, terms, arguments = _ordering(order)
    sql = f"SELECT r.n FROM runs r {joins} WHERE {compiled.sql} ORDER BY {', '.join([*terms, 'r.id DESC'])}"
    values: list[Any] = [*arguments, *compiled.arguments]
    if limit is not None:
        sql += " LIMIT ? OFFSET ?"
        values += [limit, offset]
    return [number for (number,) in database.query(sql, values)]


def _first_by_key(database: Sqlite, compiled: Compiled, field: Field, descending: bool, limit: int) -> list[int] | None:
    """The first runs along the index of one key; None if not enough runs have it, so that the others count too."""
    column = field.column if field.table == "metrics" else "num"
    direction = "DESC" if descending else "ASC"
    sql = (
        f"SELECT r.n FROM {field.table} s JOIN runs r ON r.n = s.run "
        f"WHERE s.key = ? AND s.{column} IS NOT NULL AND {compiled.sql} "
        f"ORDER BY s.{column} {direction}, r.id DESC LIMIT ?"
    )
    rows = database.query(sql, [field.key, *compiled.arguments, limit])
    return [number for (number,) in rows] if len(rows) == limit else None


def _ordering(order: Order) -> tuple[str, list[str], list[str]]:
    """Joins, terms and arguments of an ORDER BY in which missing values come last either way."""
    joins: list[str] = []
    terms: list[str] = []
    arguments: list[str] = []
    for place, (field, descending) in enumerate(order):
        direction = "DESC" if descending else "ASC"
        if not field.table:
            column = "(r.ended - r.started)" if field.column == "duration" else f"r.{field.column}"
            columns = [column]
        else:
            joins.append(_join(field, place, arguments))
            columns = (
                [f"s{place}.{field.column}"] if field.table == "metrics" else [f"s{place}.num", _TEXT.format(place)]
            )
        for column in columns:
            terms += [f"{column} IS NULL", f"{column} {direction}"]
    return " ".join(joins), terms, arguments


def _join(field: Field, place: int, arguments: list[Any]) -> str:
    """What brings a field's table in as `s<place>`; its arguments are appended."""
    if field.table != "env":
        arguments.append(field.key)
        return f"LEFT JOIN {field.table} s{place} ON s{place}.run = r.n AND s{place}.key = ?"
    arguments += [field.key.partition(".")[0], field.key]
    return (
        f"LEFT JOIN sections e{place} ON e{place}.run = r.n AND e{place}.section = ? "
        f"LEFT JOIN env s{place} ON s{place}.section = e{place}.section AND s{place}.sha256 = e{place}.sha256 "
        f"AND s{place}.key = ?"
    )
