"""The query language: an expression in Python's syntax, parsed to a tree of conditions and never evaluated.

Two-valued: a comparison with a missing value or another type is false, and its `not` is true.
"""

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NoReturn

from runlore._text import closest
from runlore._warnings import without_warnings
from runlore.errors import QueryError
from runlore.index.conditions import (
    Always,
    Comparison,
    Condition,
    FieldComparison,
    Junction,
    Match,
    Membership,
    Missing,
    Not,
    Value,
)
from runlore.index.fields import AGGREGATES, EXAMPLES, FIELDS, FLAGS, STATUSES, TABLES, TIME_FIELDS, Field
from runlore.index.matching import why_no_pattern
from runlore.index.mistakes import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_PATTERN,
    MAX_SORTED,
    MAX_VALUES,
    arithmetic_reason,
    check_length,
    syntax_reason,
    unknown_reason,
    unquoted_reason,
    why_no_constant,
    why_no_key,
    written,
)

OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "=",
    ast.NotEq: "<>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}  # of `ago`, in seconds
MAX_AGO = 40  # characters of the text in `ago`
MAX_REASON = 500  # characters of a message, which may name what the query has
MAX_TRIES = 20  # to parse a query beside other threads


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Value


def parse_query(text: str, now: Callable[[], float]) -> Condition:
    """Return the condition that a query writes; `now` (seconds since 1970) is what `ago` counts from.

    Raises:
        QueryError: with the column of what can't be understood, and a suggestion where there is one.
    """
    check_length(text)
    text = re.sub(r"[\r\n]", " ", text)
    if not text.strip():
        return Always(True)
    try:
        return _Parser(text, text, 0, now).condition()
    except RecursionError:
        raise QueryError("this query is nested too deeply", text, 0) from None


def parse_sort(text: str) -> list[tuple[Field, bool]]:
    """Return the fields to sort by, each with whether it descends: "-metrics.val_acc.max, started".

    Raises:
        QueryError: a part is no field.
    """
    check_length(text)
    order: list[tuple[Field, bool]] = []
    for place, part in _split_at_commas(text):
        if len(order) == MAX_SORTED:
            raise QueryError(f"an order has at most {MAX_SORTED} fields", text, place)
        name = part.strip()
        bare = name.removeprefix("-")
        begin = place + len(part) - len(part.lstrip())
        try:
            field = _Parser(text, bare, begin + len(name) - len(bare), lambda: 0.0).field()
        except RecursionError:
            raise QueryError("this is nested too deeply", text, begin) from None
        order.append((field, name.startswith("-")))
    return order


def parse_field(text: str, table: str = "") -> Field:
    """Return the field that a text names; a name alone is a key of `table`, of a metric with an aggregate behind it.

    Raises:
        QueryError: it is neither.
    """
    try:
        fields = [field for field, _ in parse_sort(text)]
    except QueryError:
        if not table or text.partition(".")[0] in TABLES:
            raise
        fields = []
    if len(fields) > 1:
        names = " and ".join(field.text for field in fields)
        raise QueryError(f"{text!r} is several fields, {names}: name each by an option of its own", text, 0)
    if fields:
        return fields[0]
    key, dot, aggregate = text.rpartition(".")
    reason = why_no_key(text)
    if reason is not None:
        raise QueryError(reason, text, 0)
    if table == "metrics" and dot and aggregate in AGGREGATES:
        return Field(table, key, aggregate, 0)
    return Field.of_key(table, text)


def parse_time(text: str) -> int | None:
    """Return an ISO 8601 date or time (UTC unless it says otherwise) in µs since 1970; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)


def parse_moment(text: str) -> int | None:
    """Return a time as `parse_time` does, but for a mere date: of that day the last µs."""
    found = parse_time(text)
    return found if found is None or len(text) > len("2026-03-03") else found + 86_400_000_000 - 1


def _split_at_commas(text: str) -> Iterator[tuple[int, str]]:
    """Yield the parts between commas outside of quotes, each with its place."""
    begin, quote, escaped = 0, "", False
    for place, sign in enumerate(text):
        if sign == "," and not quote:
            yield begin, text[begin:place]
            begin = place + 1
        elif escaped:
            escaped = False
        elif quote:
            escaped = sign == "\\"
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
    yield begin, text[begin:]


class _Parser:
    """Parses the part of a text that begins at a place; errors show the whole text."""

    def __init__(self, text: str, part: str, begin: int, now: Callable[[], float]) -> None:
        self._text = text
        self._source = part.strip()
        self._begin = begin + len(part) - len(part.lstrip())
        self._now = now
        self._conditions = 0  # that were parsed

    def condition(self) -> Condition:
        """Parse a query."""
        return self._condition(self._parse(), 0)

    def field(self) -> Field:
        """Parse a field to sort by."""
        node = self._parse()
        found = self._operand(node)
        if not isinstance(found, Field):
            self._fail(
                node, f"{self._source!r} is nothing to sort by: name a field such as metrics.loss.min or started"
            )
        return found

    def _parse(self) -> ast.expr:
        try:
            with without_warnings():  # "\d" in a pattern is meant
                return _tree_of(self._source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            column = self._begin + max(0, (getattr(error, "offset", None) or 1) - 1)
            raise QueryError(syntax_reason(self._text, error), self._text, min(column, len(self._text))) from None

    def _place(self, node: ast.expr) -> int:
        """Return the place of a node in the whole text, in characters; `ast` counts bytes of UTF-8."""
        before = self._source.encode("utf-8", "replace")[: node.col_offset]
        return self._begin + len(before.decode("utf-8", "replace"))

    def _fail(self, node: ast.expr, message: str) -> NoReturn:
        short = message if len(message) <= MAX_REASON else f"{message[:MAX_REASON]}…"
        raise QueryError(short, self._text, self._place(node))

    # Conditions

    def _condition(self, node: ast.expr, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            self._fail(node, f"this query is nested too deeply: at most {MAX_DEPTH} conditions may be in each other")
        if isinstance(node, ast.BoolOp):
            parts = tuple(self._condition(part, depth + 1) for part in node.values)
            return Junction("AND" if isinstance(node.op, ast.And) else "OR", parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self._condition(node.operand, depth + 1))
        if isinstance(node, ast.Compare):
            return self._comparisons(node)
        if isinstance(node, ast.Call):
            return self._match(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
            self._fail(node, "write `and` and `or`, with comparisons on both sides")
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            return Always(node.value)
        if isinstance(node, ast.Name) and node.id in FLAGS:
            self._count(node)
            field, value = Field.of_key("tags", node.id, self._place(node)), FLAGS[node.id]
            return Not(Missing(field)) if value is None else Comparison(field, "=", value)
        found = self._operand(node)
        text = found.text if isinstance(found, Field) else written(node)
        self._fail(node, f"compare {text} with something, such as {text} == 1")

    def _comparisons(self, node: ast.Compare) -> Condition:
        sides = zip(pairwise([node.left, *node.comparators]), node.ops, strict=True)
        parts = tuple(self._comparison(left, operator, right) for (left, right), operator in sides)
        return parts[0] if len(parts) == 1 else Junction("AND", parts)

    def _comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Condition:
        self._count(left)
        if isinstance(operator, ast.In | ast.NotIn):
            member = self._membership(left, right)
            return member if isinstance(operator, ast.In) else Not(member)
        if isinstance(operator, ast.Is | ast.IsNot) or _is_none(left) or _is_none(right):
            if not isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
                self._fail(right, "None has no order: write `is None` or `is not None`")
            missing = self._missing(left, right)
            return missing if isinstance(operator, ast.Is | ast.Eq) else Not(missing)
        symbol = OPERATORS[type(operator)]
        first = self._operand(left)
        self._check_quoted(first, right)
        second = self._operand(right)
        if isinstance(first, Field) and isinstance(second, Field):
            return self._field_comparison(first, symbol, second)
        if isinstance(first, Field) and isinstance(second, _Constant):
            return Comparison(first, symbol, self._value(first, second, right))
        if isinstance(first, _Constant) and isinstance(second, Field):
            return Comparison(second, MIRRORED[symbol], self._value(second, first, left))
        self._fail(left, "both sides are constants: one should be a field, such as params.lr")

    def _count(self, node: ast.expr) -> None:
        """Count a condition.

        Raises:
            QueryError: there are too many.
        """
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            self._fail(node, f"this query is too large: it has more than {MAX_CONDITIONS} conditions")

    def _field_comparison(self, left: Field, symbol: str, right: Field) -> Condition:
        for field in (left, right):
            if field.table == "env":
                raise QueryError("compare env with a constant", self._text, field.place)
        return FieldComparison(left, symbol, right)

    def _membership(self, left: ast.expr, right: ast.expr) -> Condition:
        if not isinstance(right, ast.List | ast.Tuple | ast.Set):
            self._fail(right, "`in` wants a list such as [1, 2]; for a part of a text write like(field, '%part%')")
        if len(right.elts) > MAX_VALUES:
            self._fail(right, f"this list has {len(right.elts):,} values: at most {MAX_VALUES:,} are taken")
        field = self._operand(left)
        if not isinstance(field, Field):
            self._fail(left, "a field stands before `in`, such as params.model in ['a', 'b']")
        values = []
        for item in right.elts:
            self._check_quoted(field, item)
            constant = self._operand(item)
            if not isinstance(constant, _Constant):
                self._fail(item, "the list of `in` holds constants")
            values.append(self._value(field, constant, item))
        return Membership(field, tuple(values))

    def _check_quoted(self, beside: Field | _Constant, node: ast.expr) -> None:
        reason = unquoted_reason(node) if isinstance(beside, Field) else None
        if reason is not None:
            self._fail(node, reason)

    def _missing(self, left: ast.expr, right: ast.expr) -> Condition:
        node = right if _is_none(left) else left
        if not (_is_none(left) or _is_none(right)):
            self._fail(right, "`is` compares with None only: write ==")
        field = self._operand(node)
        if not isinstance(field, Field):
            self._fail(node, "only a field can be None")
        return Missing(field)

    def _match(self, node: ast.Call) -> Condition:
        self._count(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in ("like", "match") or len(node.args) != 2 or node.keywords:
            self._fail(node, f"no condition {written(node.func)}(…): write like(field, 'a%') or match(field, 'regex')")
        field, pattern = self._operand(node.args[0]), self._operand(node.args[1])
        if not isinstance(field, Field) or not isinstance(pattern, _Constant) or not isinstance(pattern.value, str):
            self._fail(node, f"write {name}(field, 'pattern')")
        if name == "like":
            if len(pattern.value) > MAX_PATTERN:
                self._fail(node.args[1], f"this pattern is too long: at most {MAX_PATTERN} characters are taken")
            return Match(field, "like", pattern.value)
        reason = why_no_pattern(pattern.value)
        if reason is not None:
            self._fail(node.args[1], reason)
        return Match(field, "match", pattern.value)

    # Fields and constants

    def _operand(self, node: ast.expr) -> Field | _Constant:
        if isinstance(node, ast.Constant) and isinstance(node.value, Value):
            reason = why_no_constant(node.value)
            if reason is not None:
                self._fail(node, reason)
            return _Constant(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self._operand(node.operand)
            if isinstance(inner, _Constant) and isinstance(inner.value, int | float):
                return _Constant(-inner.value if isinstance(node.op, ast.USub) else inner.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ago":
            return self._ago(node)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return self._field(node)
        if isinstance(node, ast.BinOp):
            self._fail(node, arithmetic_reason(node))
        self._fail(node, f"{written(node)} is neither a field nor a constant")

    def _field(self, node: ast.expr) -> Field:
        names: list[str] = []
        inner = node
        while isinstance(inner, ast.Attribute | ast.Subscript):
            if isinstance(inner, ast.Attribute):
                names.insert(0, inner.attr)
            elif isinstance(inner.slice, ast.Constant) and isinstance(inner.slice.value, str):
                names.insert(0, inner.slice.value)
            else:
                self._fail(inner, 'a name in brackets is a text: params["learning rate"]')
            inner = inner.value
        if not isinstance(inner, ast.Name):
            self._fail(inner, f"{written(inner)} is no field")
        if inner.id in FIELDS and not names:
            return Field("", "", inner.id, self._place(inner))
        if inner.id not in TABLES:
            self._fail(inner, unknown_reason(inner.id, names))
        if not names:
            self._fail(inner, f"{inner.id} is a table: name a key, such as {EXAMPLES[inner.id]}")
        reason = why_no_key(".".join(names))
        if reason is not None:
            self._fail(inner, reason)
        quoted = isinstance(node, ast.Subscript)
        if inner.id == "metrics" and len(names) > 1 and names[-1] in AGGREGATES and not quoted:
            return Field("metrics", ".".join(names[:-1]), names[-1], self._place(inner))
        return Field.of_key(inner.id, ".".join(names), self._place(inner))

    def _value(self, field: Field, constant: _Constant, node: ast.expr) -> Value:
        """Return a constant as the field beside it holds it: a text beside a time becomes microseconds."""
        value = constant.value
        if field.column == "status" and isinstance(value, str) and value not in STATUSES:
            close = closest(value, STATUSES, 0.5)
            meant = f"did you mean {close!r} ?" if close else f"it is one of {', '.join(STATUSES)}"
            self._fail(node, f"no run has the status {value!r}: {meant}")
        if field.table or field.column not in TIME_FIELDS or isinstance(node, ast.Call):
            return value
        moment = parse_time(value) if isinstance(value, str) else None
        if moment is None:
            self._fail(node, f"{value!r} is no time: write '2026-11-23', '2026-11-23T10:00' or ago('7d')")
        return moment

    def _ago(self, node: ast.Call) -> _Constant:
        value: Any = node.args[0].value if len(node.args) == 1 and isinstance(node.args[0], ast.Constant) else None
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", value) if isinstance(value, str) else None
        if not found or len(value) > MAX_AGO:
            self._fail(node, "write ago('7d'): a number and one of s, m, h, d, w")
        return _Constant(int((self._now() - float(found[1]) * UNITS[found[2]]) * 1e6))


def _tree_of(source: str) -> ast.expr:
    """Parse an expression; again where another thread came between.

    Python 3.11 counts the depth of trees for all threads together, and raises SystemError where one is switched to in
    the midst (python/cpython#106905).
    """
    for _ in range(MAX_TRIES):
        with suppress(SystemError):
            return ast.parse(source, mode="eval").body
    return ast.parse(source, mode="eval").body


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
