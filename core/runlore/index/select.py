"""Questions about runs: those that fulfil a query, those that a name or a part of an id may mean."""

import math
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from runlore._ids import is_run_id
from runlore.errors import QueryError
from runlore.index.database import DAMAGED, Sqlite, chunks, is_interrupted, is_refused
from runlore.index.fields import NAMED, Field
from runlore.index.keys import params_of, require_params
from runlore.index.mistakes import check_columns
from runlore.index.rows import RUN_COLUMNS, Summary, load_summaries
from runlore.index.sql import TEXT_KINDS, Clause, Compiled, column_of
from runlore.log.record import UNREADABLE

MIN_PART = 3  # characters of an id that may stand for it
MAX_PART = 64
MAX_JOINED = 25  # fields that one SELECT brings in: SQLite joins at most 64 tables, and one of env takes two
Order = Sequence[tuple[Field, bool]]  # fields, each with whether it descends
# A run without its values, how many children it has, its tags, and the values of some fields:
Line = tuple[Summary, int, dict[str, str], tuple[Any, ...]]


def select(database: Sqlite, compiled: Compiled, order: Order, limit: int | None) -> list[Summary]:
    """Return the runs that fulfil a query.

    Raises:
        QueryError: the query is too large for the database, here and in the other questions about a query.
    """
    return load_summaries(database, _numbers(database, compiled, order, limit))


def list_ids(database: Sqlite, compiled: Compiled, order: Order, limit: int | None) -> list[str]:
    """Return the ids of the runs that fulfil a query."""
    found: dict[int, str] = {}
    numbers = _numbers(database, compiled, order, limit)
    for marks, some in chunks(numbers):
        found |= dict(database.query(f"SELECT n, id FROM runs WHERE n IN {marks}", some))
    return [found[number] for number in numbers]


def load_runs(database: Sqlite, ids: Sequence[str]) -> list[Summary]:
    """Return the runs with these ids, in this order; ids without a run are left out."""
    found: dict[str, int] = {}
    for marks, some in chunks(ids):
        found |= dict(database.query(f"SELECT id, n FROM runs WHERE id IN {marks}", some))
    return load_summaries(database, [found[run_id] for run_id in ids if run_id in found])


def count_of(database: Sqlite, compiled: Compiled) -> int:
    """Return how many runs fulfil a query."""
    require_params(database, compiled.fields)
    return int(_query(database, f"SELECT COUNT(*) FROM runs r WHERE {compiled.sql}", compiled.arguments)[0][0])


def values_of(database: Sqlite, compiled: Compiled, fields: Sequence[Field]) -> list[tuple[Any, ...]]:
    """Return id, name and the values of some fields of each run that fulfils a query; None for a missing value."""
    require_params(database, [*compiled.fields, *fields])
    condition = Clause(f"{compiled.sql} ORDER BY r.id", compiled.arguments)
    return _values(database, ["r.id", "r.name"], fields, condition)


def read_page(
    database: Sqlite, compiled: Compiled, order: Order, fields: Sequence[Field], offset: int, limit: int
) -> list[Line]:
    """Return the runs `offset` to `offset + limit` of a query; a last value that is NaN is NaN, no missing one."""
    check_columns(fields)
    numbers = _numbers(database, compiled, order, limit, offset)
    if not numbers:
        return []
    marks = f"({', '.join('?' * len(numbers))})"
    own = [f"r.{name}" for name in RUN_COLUMNS.split(", ")]
    columns = [field for field in fields if field.table != "params"]
    rows = _values(database, own, columns, Clause(f"r.n IN {marks} ORDER BY r.n", tuple(numbers)))
    params = params_of(database, numbers, {field.key for field in fields if field.table == "params"})
    found = {
        row[0]: (Summary(*row[: len(own)]), _with_params(row[len(own) :], params[row[0]], fields))
        for row in _with_nan(database, rows, own, columns)
    }
    tags: dict[int, dict[str, str]] = {n: {} for n in found}
    for n, key, text in database.query(f"SELECT run, key, text FROM tags WHERE run IN {marks}", numbers):
        tags[n][key] = text
    ids = [summary.id for summary, _ in found.values()]
    parents = database.query(f"SELECT parent FROM runs WHERE parent IN {marks}", ids)
    children = Counter(parent for (parent,) in parents)
    return [(found[n][0], children[found[n][0].id], tags[n], found[n][1]) for n in numbers if n in found]


def _with_params(others: Sequence[Any], params: Mapping[str, Any], fields: Sequence[Field]) -> tuple[Any, ...]:
    """Return the values of all fields of a run, made of those that are no params, and of these by key."""
    following = iter(others)
    return tuple(params.get(field.key) if field.table == "params" else next(following) for field in fields)


def _with_nan(database: Sqlite, rows: list[Any], own: Sequence[str], fields: Sequence[Field]) -> list[Any]:
    """Return rows with NaN as the last value of each metric that ended so, which the database holds as none."""
    for place, field in enumerate(fields, len(own)):
        lacking = [row[0] for row in rows if row[place] is None] if _is_last(field) else []
        for marks, some in chunks(lacking):
            sql = f"SELECT run FROM metrics WHERE key = ? AND count > 0 AND last IS NULL AND run IN {marks}"
            ended = {run for (run,) in database.query(sql, [field.key, *some])}
            rows = [(*row[:place], math.nan, *row[place + 1 :]) if row[0] in ended else row for row in rows]
    return rows


def _is_last(field: Field) -> bool:
    return field.table == "metrics" and field.column == "last"


def resolve(database: Sqlite, part: str) -> list[Summary]:
    """Return the runs, newest first, with this id; else name; else end of an id; else part of an id."""
    part = str(part).encode("utf-8", "replace").decode()
    tests: list[tuple[str, str]] = [("id = ?", part), ("name = ?", part)]
    if part.isalnum() and MIN_PART <= len(part) <= MAX_PART:
        tests += [("id LIKE ?", f"%{part.lower()}"), ("id LIKE ?", f"%{part.lower()}%")]
    for test, argument in tests:
        rows = database.query(f"SELECT n FROM runs WHERE {test} ORDER BY id DESC", (argument,))
        if rows:
            return load_summaries(database, [number for (number,) in rows])
    return []


def load_known(database: Sqlite, ids: Sequence[str]) -> list[Summary]:
    """Return the runs with some ids, in this order; those that the store lacks are left out."""
    wanted = [run_id for run_id in dict.fromkeys(ids) if is_run_id(run_id)]
    found: dict[str, int] = {}
    for marks, some in chunks(wanted):
        found |= dict(database.query(f"SELECT id, n FROM runs WHERE id IN {marks}", some))
    return load_summaries(database, [found[run_id] for run_id in wanted if run_id in found])


def find_below(database: Sqlite, ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the ids of the children, oldest first, of some runs and of all below them that have any; each run once."""
    found: dict[str, list[str]] = {}
    seen, level = set(ids), list(dict.fromkeys(ids))
    while level:
        rows: list[tuple[str, str]] = []
        for marks, some in chunks(level):
            rows += database.query(f"SELECT id, parent FROM runs WHERE parent IN {marks}", some)
        level = []
        for child, parent in sorted(rows):
            if child not in seen:
                seen.add(child)
                level.append(child)
                found.setdefault(parent, []).append(child)
    return found


def list_names(database: Sqlite) -> list[str]:
    """Return the names that runs have, each once."""
    return [str(name) for (name,) in database.query("SELECT DISTINCT name FROM runs")]


def count_by_status(database: Sqlite) -> dict[str, int]:
    """Return how many runs have each status, in the order in which these first occurred."""
    return dict(database.query("SELECT status, COUNT(*) FROM runs GROUP BY status ORDER BY MIN(id)"))


def count_by_experiment(database: Sqlite, compiled: Compiled) -> list[tuple[str, int, int]]:
    """Return the experiments of the runs that fulfil a query: number of runs, start of the newest; the newest first."""
    require_params(database, compiled.fields)
    columns = "r.experiment, COUNT(*), MAX(r.started)"
    sql = f"SELECT {columns} FROM runs r WHERE {compiled.sql} GROUP BY r.experiment ORDER BY MAX(r.started) DESC"
    return _query(database, sql, compiled.arguments)


def names_of(database: Sqlite, ids: Sequence[str]) -> list[str]:
    """Return the names of runs, or the id of one without."""
    found: dict[str, str | None] = {}
    for marks, some in chunks(ids):
        found |= dict(database.query(f"SELECT id, name FROM runs WHERE id IN {marks}", some))
    return [found.get(run_id) or run_id for run_id in ids]


def list_damaged(database: Sqlite) -> list[str]:
    """Return the ids of the runs with files that are damaged or still arriving."""
    sql = f"SELECT id FROM runs WHERE (live = {DAMAGED} OR damaged > 0) AND status != '{UNREADABLE}'"
    return [run_id for (run_id,) in database.query(sql)]


def list_unreadable(database: Sqlite) -> list[str]:
    """Return the ids of the runs whose files can't be read here."""
    return [run_id for (run_id,) in database.query("SELECT id FROM runs WHERE status = ?", (UNREADABLE,))]


def read_states(database: Sqlite) -> dict[str, tuple[int, int, str]]:
    """Return for each run how many files it has, their bytes, and its status."""
    columns = "r.id, r.status, COUNT(*), SUM(f.size)"
    rows = database.query(f"SELECT {columns} FROM runs r JOIN files f ON f.run = r.id GROUP BY r.id, r.status")
    return {run_id: (files, size, status) for run_id, status, files, size in rows}


def _numbers(database: Sqlite, compiled: Compiled, order: Order, limit: int | None, offset: int = 0) -> list[int]:
    """Return the numbers of the runs that fulfil a query, in their order."""
    require_params(database, [*compiled.fields, *(field for field, _ in order)])
    if len(order) == 1 and order[0][0].table in ("metrics", "params") and limit is not None:
        found = _first_by_key(database, compiled, order[0][0], order[0][1], offset + limit)
        if found is not None:
            return found[offset:]
    joins, terms, keys = _ordering(order)
    sql = f"SELECT r.n FROM runs r {joins} WHERE {compiled.sql} ORDER BY {', '.join([*terms, 'r.id DESC'])}"
    values = [*keys, *compiled.arguments]
    if limit is not None:
        sql += " LIMIT ? OFFSET ?"
        values += [limit, offset]
    return [number for (number,) in _query(database, sql, values)]


def _first_by_key(database: Sqlite, compiled: Compiled, field: Field, descending: bool, limit: int) -> list[int] | None:
    """Return the first runs along the index of one key; None if too few have it, so that the others count too."""
    column = field.column if field.table == "metrics" else "num"
    direction = "DESC" if descending else "ASC"
    exact = [] if field.table == "metrics" else _exact_terms("s", descending)
    sql = (
        f"SELECT r.n FROM {field.table} s JOIN runs r ON r.n = s.run "
        f"WHERE s.key = ? AND s.{column} IS NOT NULL AND {compiled.sql} "
        f"ORDER BY {', '.join([f's.{column} {direction}', *exact])}, r.id DESC LIMIT ?"
    )
    rows = _query(database, sql, [field.key, *compiled.arguments, limit])
    return [number for (number,) in rows] if len(rows) == limit else None


def _ordering(order: Order) -> tuple[str, list[str], list[Any]]:
    """Return joins, terms and arguments of an ORDER BY in which missing values come last either way."""
    joins: list[str] = []
    terms: list[str] = []
    keys: list[Any] = []
    for place, (field, descending) in enumerate(order):
        join = _join(field, place)
        joins.append(join.sql)
        keys += join.arguments
        if not field.table:
            columns = [f"runlore_natural({column_of(field)})" if field.column in NAMED else column_of(field)]
        elif field.table == "metrics":
            columns = [f"s{place}.{field.column}"]
        else:  # the text of a NaN is none to sort by
            text = f"CASE WHEN s{place}.kind IN {TEXT_KINDS} THEN s{place}.text END"
            columns = [f"s{place}.num", f"runlore_natural({text})"]  # of more than 63 terms in all SQLite would crash
        for column in columns:
            terms += [f"{column} IS NULL", f"{column} {'DESC' if descending else 'ASC'}"]
        if field.table not in ("", "metrics"):
            terms += _exact_terms(f"s{place}", descending)
    return " ".join(joins), terms, keys


def _exact_terms(table: str, descending: bool) -> list[str]:
    """Return terms that sort whole numbers beyond 64 bits exactly, which are equal as the floats in `num`."""
    up, down = ("DESC", "ASC") if descending else ("ASC", "DESC")
    large = f"{table}.kind = 'int' AND length({table}.text) > 18"
    return [
        f"CASE WHEN {large} THEN length({table}.text) * (CASE WHEN {table}.num < 0 THEN -1 ELSE 1 END) END {up}",
        f"CASE WHEN {large} AND {table}.num > 0 THEN {table}.text END {up}",
        f"CASE WHEN {large} AND {table}.num < 0 THEN {table}.text END {down}",
    ]


def _values(
    database: Sqlite, columns: Sequence[str], fields: Sequence[Field], condition: Clause
) -> list[tuple[Any, ...]]:
    """Return some columns and the values of some fields of each run, which the condition brings in an order."""
    check_columns(fields)
    found = _few_values(database, columns, fields[:MAX_JOINED], condition)
    for begin in range(MAX_JOINED, len(fields), MAX_JOINED):
        more = _few_values(database, [], fields[begin : begin + MAX_JOINED], condition)
        found = [row + rest for row, rest in zip(found, more, strict=True)]
    return found


def _few_values(
    database: Sqlite, columns: Sequence[str], fields: Sequence[Field], condition: Clause
) -> list[tuple[Any, ...]]:
    joins = [_join(field, place) for place, field in enumerate(fields)]
    values = [_value(field, place) for place, field in enumerate(fields)]
    joined = " ".join(join.sql for join in joins)
    keys = [key for join in joins for key in join.arguments]
    sql = f"SELECT {', '.join([*columns, *values])} FROM runs r {joined} WHERE {condition.sql}"
    return _query(database, sql, [*keys, *condition.arguments])


def _query(database: Sqlite, sql: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a SELECT that a user's query is a part of.

    Raises:
        QueryError: it has too many or too deeply nested conditions.
    """
    try:
        return database.query(sql, arguments)
    except sqlite3.DatabaseError as error:
        if is_refused(error) and not is_interrupted(error) and database.matcher.failure is None:
            raise QueryError(f"this query is too large for the index: {error}", "", 0) from error
        raise


def _value(field: Field, place: int) -> str:
    """Return the SQL of a field's value, its table joined by `_join`."""
    if not field.table:
        return column_of(field)
    if field.table == "metrics":
        return f"s{place}.{field.column}"
    return f"CASE WHEN s{place}.kind = 'bool' THEN s{place}.text ELSE COALESCE(s{place}.num, s{place}.text) END"


def _join(field: Field, place: int) -> Clause:
    """Return the JOIN that brings in a field's table as `s<place>`; nothing for a column of the run."""
    if not field.table:
        return Clause("")
    if field.table != "env":
        rows = f"s{place}"
        return Clause(f"LEFT JOIN {field.table} {rows} ON {rows}.run = r.n AND {rows}.key = ?", (field.key,))
    sql = (
        f"LEFT JOIN sections e{place} ON e{place}.environment = r.environment AND e{place}.section = ? "
        f"LEFT JOIN env s{place} ON s{place}.section = e{place}.section AND s{place}.sha256 = e{place}.sha256 "
        f"AND s{place}.key = ?"
    )
    return Clause(sql, (field.key.partition(".")[0], field.key))
