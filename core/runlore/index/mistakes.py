"""The mistakes in queries, in words: what is more than can be asked for, and what may have been meant."""

import ast
import keyword
import re
from collections.abc import Sequence
from contextlib import suppress

from runlore._text import closest
from runlore.errors import QueryError
from runlore.index.fields import AGGREGATES, FIELDS, FLAGS, TABLES, Field

# Limits of a question, far beyond what people write; docs/queries.md names them all
MAX_CHARS = 200_000  # of a query
MAX_CONDITIONS = 200
MAX_DEPTH = 50  # of conditions within conditions
MAX_VALUES = 10_000  # in the list of an `in`
MAX_SORTED = 8  # fields; SQLite 3.40 crashes where an order has 64 terms, and a param makes seven
MAX_NAME = 1000  # characters of a key
MAX_PATTERN = 500  # characters of a pattern
MAX_DIGITS = 1000  # of a whole number
MAX_COLUMNS = 200  # fields that are asked of each run

_MAX_BITS = (10**MAX_DIGITS).bit_length()

FUNCTIONS = ("like", "match", "ago")
MAX_WRITTEN = 80  # characters of a query that a message repeats
MAX_SEARCHED = 2000  # characters of a query that are searched for what was meant


def written(node: ast.expr) -> str:
    """Return a part of a query as it is written, not more than a line of it."""
    with suppress(ValueError, RecursionError):  # numbers of thousands of digits, or nesting
        text = ast.unparse(node)
        return text if len(text) <= MAX_WRITTEN else f"{text[:MAX_WRITTEN]}…"
    return "this"


def syntax_reason(text: str, error: Exception) -> str:
    """Return why a text is no expression of Python."""
    text = text[:MAX_SEARCHED]
    found = re.search(rf"\b({'|'.join(TABLES)})\.({'|'.join(keyword.kwlist)})\b", text)
    if found:
        return f'{found[2]!r} is a word of Python: write {found[1]}["{found[2]}"]'
    found = re.search(rf"\b({'|'.join(TABLES)})\.([A-Za-z_][\w.]*?\.\d+(?:\.\d+)*)", text)
    if found:
        return f'a key with a number after a point stands in brackets: write {found[1]}["{found[2]}"]'
    if re.search(r"(?<![=<>!])=(?!=)", text):
        return "did you mean == ?"
    if re.search(r"&&|\|\|", text):
        return "write `and` and `or`"
    found = re.search(r"(?i)([\w.\]\"'\[]+)\s+(like|match)\s+[\"']", text)
    if found:
        return f"write {found[2].lower()}({found[1]}, 'pattern')"
    found = re.search(r"\bago\(\s*(\d+(?:\.\d+)?[smhdw])\b", text)
    if found:
        return f"write ago({found[1]!r})"
    return f"this is not a query: {getattr(error, 'msg', error)}"


def arithmetic_reason(node: ast.BinOp) -> str:
    """Return why a node can't be compared: `metrics.val/loss` was meant as a key, anything else is arithmetic."""
    table, _, rest = re.sub(r"\s", "", written(node)).partition(".")
    if not isinstance(node.op, ast.Div) or table not in TABLES:
        return "arithmetic is not part of the language: compare a field with a number"
    key, _, aggregate = rest.rpartition(".")
    meant = f'{table}["{key}"].{aggregate}' if aggregate in AGGREGATES else f'{table}["{rest}"]'
    return f"did you mean {meant} ?"


def unquoted_reason(node: ast.expr) -> str | None:
    """Return why a field can't be compared with bare words, such as finished or wise-koala; None for anything else."""
    words = [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    kinds = (ast.Name, ast.BinOp, ast.Sub, ast.Load)
    if not all(isinstance(inner, kinds) for inner in ast.walk(node)) or {*FIELDS, *TABLES}.intersection(words):
        return None
    return f"a text stands in quotes: write {written(node).replace(' ', '')!r}"


def unknown_reason(name: str, parts: list[str]) -> str:
    """Return why a name is no field."""
    if name in FIELDS:
        return f"{name} has no parts"
    if name in FLAGS:
        return f"{name} is a condition by itself: write {name}, or not {name}"
    close = closest(name, (*FIELDS, *FLAGS, *TABLES, *FUNCTIONS), 0.5)
    if close:
        return f"there is no {name!r}: did you mean {'.'.join([close, *parts])} ?"
    if parts:
        return f"there is no {name!r}: fields begin with {', '.join(TABLES)}"
    return f"there is no field {name!r}: did you mean params.{name} or metrics.{name} ?"


# Limits


def check_length(text: str) -> None:
    """Refuse a query that is too long.

    Raises:
        QueryError: it is.
    """
    if len(text) > MAX_CHARS:
        raise QueryError(f"this has {len(text):,} characters: a query has at most {MAX_CHARS:,}", text, 0)


def check_columns(fields: Sequence[Field]) -> None:
    """Refuse a question for too many fields of each run.

    Raises:
        QueryError: it is one.
    """
    if len(fields) > MAX_COLUMNS:
        raise QueryError(
            f"{len(fields):,} fields are asked for: name at most {MAX_COLUMNS}", fields[MAX_COLUMNS].text, 0
        )


def why_no_constant(value: object) -> str | None:
    """Return why a constant can't be compared with anything that was recorded; None for one that can."""
    if isinstance(value, str):
        return (
            None if _is_text(value) else "half of a character (a surrogate) is in this text: it is recorded as \\ud8…"
        )
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"this number has more than {MAX_DIGITS:,} digits"
    return None


def why_no_key(key: str) -> str | None:
    """Return why a key can't be asked for; None for one that can."""
    if len(key) > MAX_NAME:
        return f"this name has {len(key):,} characters: at most {MAX_NAME:,} can be asked for"
    return why_no_constant(key)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
