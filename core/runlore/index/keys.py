"""Questions about the keys that runs have, and hints for keys that none has."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from runlore._text import closest
from runlore.errors import excerpt
from runlore.index.database import Sqlite, chunks
from runlore.index.fields import BARE, TABLES, Field
from runlore.index.rows import texts_of
from runlore.index.sql import Compiled

MAX_PARAMS = 100  # params that `varied_params` returns
MAX_HINTS = 3  # each looks through all keys


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
    """Return a hint for each key that a query or an order names and no run has, with a caret below the key."""
    asked = [(where, field) for field in compiled.fields] + [(sort, field) for field, _ in order]
    hints = (_hint(database, text, field) for text, field in asked if field.table and not has_key(database, field))
    return list(islice(filter(None, hints), MAX_HINTS))


def _hint(database: Sqlite, text: str, field: Field) -> str | None:
    """Return a hint for a field whose key no run has; None if its table is empty and no other table has the key."""
    keys = other_keys(database, field)
    meant = next(_same_key_elsewhere(database, field), None) or _similar(field, keys)
    if not keys and meant is None:
        return None
    suggestion = "" if meant is None else f": did you mean {meant.text} ?"
    shown, place = excerpt(text, field.place)
    return f"no run has {field.text}{suggestion}\n  {shown}\n  {' ' * place}^"


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
        sql = f"SELECT r.id, h.text FROM runs r JOIN held h ON h.run = r.n WHERE r.id IN {marks}"
        for run_id, held in database.query(sql, some):
            for key, text in texts_of(held).items():
                found.setdefault(key, {})[run_id] = text
    counts = {key: len(set(texts.values())) for key, texts in found.items() if key not in but}
    varied = [key for key, count in counts.items() if count > 1 or len(found[key]) < len(ids)]
    return {key: found[key] for key in sorted(varied, key=lambda key: (counts[key], key))[:MAX_PARAMS]}
