"""Questions about the keys that runs have, hints for keys that none has, and rows of the params that are asked for."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from runlore._ids import is_run_id
from runlore._text import closest
from runlore.errors import excerpt
from runlore.index.conditions import Value
from runlore.index.database import TABLES as COLUMNS
from runlore.index.database import Sqlite, chunks
from runlore.index.fields import BARE, FLAGS, TABLES, Field
from runlore.index.rows import load_shapes, param_row, texts_of
from runlore.index.sql import Compiled

MAX_PARAMS = 100  # params that `varied_params` returns
MAX_HINTS = 3  # each looks through all keys
MIN_NAMED = 3  # characters of a name, or of an end of an id, that may have been meant
PART = 5_000  # runs whose params are listed at a time


class Unlisted(Exception):
    """Params that a question names have no rows yet: `keys`."""

    def __init__(self, keys: Collection[str]) -> None:
        super().__init__(f"params without rows: {', '.join(keys)}")
        self.keys = keys


def require_params(database: Sqlite, fields: Iterable[Field]) -> None:
    """Raise where a question needs the rows of params that nobody has asked for.

    Most params never are, so that the rows of a key are made at its first question (`list_params`), for all runs.

    Raises:
        Unlisted: with these keys.
    """
    keys = _unlisted(database, {field.key for field in fields if field.table == "params"})
    if keys:
        raise Unlisted(keys)


def list_params(database: Sqlite, keys: Collection[str]) -> None:
    """Make the rows of params with some keys, those of later runs included, within a transaction."""
    missing = _unlisted(database, keys)
    last = 0
    following = "WHERE run > ? ORDER BY run LIMIT ?"
    while missing and (rows := _params_in(database, frozenset(missing), following, [last, PART])):
        last = rows[-1][0]
        found = (param_row(number, key, value) for number, values in rows for key, value in values.items())
        database.insert("params", filter(None, found))
    database.insert("asked", [(key,) for key in missing])


def list_own_params(database: Sqlite, keys: Collection[str]) -> None:
    """Do as `list_params` for this connection alone, until its transaction ends: another process is writing."""
    if _unlisted(database, keys):
        for table in ("params", "asked"):
            database.execute(f"CREATE TEMP TABLE {table} ({COLUMNS[table]}) WITHOUT ROWID")
            database.execute(f"INSERT INTO temp.{table} SELECT * FROM main.{table}")
        list_params(database, keys)


def params_of(database: Sqlite, numbers: Sequence[int], keys: Collection[str]) -> dict[int, dict[str, Any]]:
    """Return the params with some keys of the runs with some numbers, as columns show them; they need no rows."""
    found: dict[int, dict[str, Any]] = {number: {} for number in numbers}
    own = "SELECT run, key, kind, num, text FROM params WHERE key IN (SELECT value FROM json_each(?)) AND run IN"
    for marks, some in chunks(numbers) if keys else ():
        rows = _params_in(database, keys, f"WHERE run IN {marks}", some)
        told = filter(None, (param_row(number, *item) for number, values in rows for item in values.items()))
        for number, key, kind, num, text in [*told, *database.query(f"{own} {marks}", [json.dumps([*keys]), *some])]:
            found[number][key] = text if kind == "bool" or num is None else num
    return found


def _unlisted(database: Sqlite, keys: Collection[str]) -> list[str]:
    """Return those of some keys of params that some run has, and that have no rows."""
    found: list[str] = []
    for marks, some in chunks(sorted(keys)):
        sql = f"SELECT key FROM keys WHERE held = 'params' AND count > 0 AND key IN {marks}"
        found += [key for (key,) in database.query(f"{sql} AND key NOT IN (SELECT key FROM asked)", some)]
    return found


def _params_in(
    database: Sqlite, keys: Collection[str], which: str, arguments: Sequence[Any]
) -> list[tuple[int, dict[str, Any]]]:
    """Return number and params with some keys of runs, as `held` has them; `which` is the rest of a SELECT of it."""
    rows = database.query(f"SELECT run, shape, text FROM held {which}", arguments)
    shapes = load_shapes(database, [shape for _, shape, _ in rows])
    places = {
        number: [(key, place) for place, key in enumerate(shape.params) if key in keys]
        for number, shape in shapes.items()
    }
    found: list[tuple[int, dict[str, Any]]] = []
    for number, shape, text in rows:
        values = json.loads(text)[0] if places[shape] else ()
        found.append((number, {key: values[place] for key, place in places[shape]}))
    return found


def count_keys(database: Sqlite) -> dict[str, dict[str, int]]:
    """Return by table of the query language the keys that runs have, and how many rows have each."""
    found: dict[str, dict[str, int]] = {table: {} for table in TABLES}
    for table, key, count in database.query("SELECT held, key, count FROM keys WHERE count > 0 ORDER BY key"):
        found[table][key] = count
    return found


def has_key(database: Sqlite, field: Field) -> bool:
    """Return True if some run has the key of a field."""
    sql = "SELECT 1 FROM keys WHERE held = ? AND key = ? AND count > 0"
    return bool(database.query(sql, (field.table, field.key)))


def other_keys(database: Sqlite, field: Field) -> list[str]:
    """Return the keys in a field's table; nothing if some run has the field's own key."""
    if has_key(database, field):
        return []
    return [key for (key,) in database.query("SELECT key FROM keys WHERE held = ? AND count > 0", (field.table,))]


def hints_of(
    database: Sqlite, where: str, compiled: Compiled, sort: str, order: Sequence[tuple[Field, bool]]
) -> list[str]:
    """Return a hint for each key that a query or an order names and no run has, and for each name in place of an id."""
    asked = [(where, field) for field in compiled.fields] + [(sort, field) for field, _ in order]
    keys = (
        (text, field) for text, field in asked if field.table and not (field.table == "tags" and field.key in FLAGS)
    )
    hints = (_hint(database, text, field) for text, field in keys if not has_key(database, field))
    named = (_id_hint(database, where, field, value) for field, value in compiled.ids)
    return list(islice(filter(None, chain(hints, named)), MAX_HINTS))


def _hint(database: Sqlite, text: str, field: Field) -> str | None:
    """Return a hint for a field whose key no run has; None if its table is empty and no other table has the key."""
    keys = other_keys(database, field)
    meant = next(_same_key_elsewhere(database, field), None) or _similar(field, keys)
    if not keys and meant is None:
        return None
    suggestion = "" if meant is None else f": did you mean {meant.text} ?"
    shown, place = excerpt(text, field.place)
    return f"no run has {field.text}{suggestion}\n  {shown}\n  {' ' * place}^"


def _id_hint(database: Sqlite, text: str, field: Field, value: Value) -> str | None:
    """Return a hint for what is compared with an id and is the name of a run, or the end of its id; None for else."""
    if not isinstance(value, str) or len(value) < MIN_NAMED or is_run_id(value):
        return None
    meant = database.query(
        "SELECT id FROM runs WHERE name = ? OR substr(id, -length(?)) = ? ORDER BY id DESC LIMIT 1", (value,) * 3
    )
    if not meant:
        return None
    shown, place = excerpt(text, field.place)
    return f"{field.text} is a whole id: that of {value!r} is {meant[0][0]!r}\n  {shown}\n  {' ' * place}^"


def _same_key_elsewhere(database: Sqlite, field: Field) -> Iterator[Field]:
    others = (Field.of_key(table, field.key) for table in BARE if table != field.table)
    return (other for other in others if has_key(database, other))


def _similar(field: Field, keys: Sequence[str]) -> Field | None:
    """Return the field of a similar key, preferably one that ends with the field's: `model__lr` for `lr`."""
    ends = (key for key in keys if re.search(rf"(__|[./]){re.escape(field.key)}$", key))
    key = next(ends, None) or closest(field.key, keys)
    return None if key is None else Field(field.table, key, field.column, field.place)


def varied_params(database: Sqlite, ids: Sequence[str], but: Collection[str]) -> dict[str, dict[str, str]]:
    """Return the params that differ between some runs, or that some of them lack, without those in `but`.

    The result holds by key the text of each run's value, by run id. Params with the fewest values come first, at most
    `MAX_PARAMS` of them.
    """
    found: dict[str, dict[str, str]] = {}
    for marks, some in chunks(ids):
        sql = f"SELECT r.id, h.shape, h.text FROM runs r JOIN held h ON h.run = r.n WHERE r.id IN {marks}"
        rows = database.query(sql, some)
        shapes = load_shapes(database, [shape for _, shape, _ in rows])
        for run_id, shape, held in rows:
            for key, text in texts_of(shapes[shape], held).items():
                found.setdefault(key, {})[run_id] = text
    counts = {key: len(set(texts.values())) for key, texts in found.items() if key not in but}
    varied = [key for key, count in counts.items() if count > 1 or len(found[key]) < len(ids)]
    return {key: found[key] for key in sorted(varied, key=lambda key: (counts[key], key))[:MAX_PARAMS]}
