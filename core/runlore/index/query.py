"""The query language: one expression in Python's syntax, compiled to SQL, never evaluated.

Two-valued: a comparison with a missing value or another type is false, and its `not` is true. Every part compiles to
SQL that both SQLite and PostgreSQL read; `?` stands for an argument.
"""

import ast
import json
import keyword
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, NoReturn

from runlore.errors import QueryError

TEXT_FIELDS = ("status", "experiment", "name", "id", "parent")
TIME_FIELDS = ("started", "ended")
STATUSES = ("running", "finished", "failed", "interrupted", "crashed")
FIELDS = (*TEXT_FIELDS, *TIME_FIELDS, "duration")
TABLES = ("params", "metrics", "summary", "tags", "env", "data")
BARE = ("metrics", "summary", "params", "tags")  # where a bare name is looked for, in this order
AGGREGATES = ("last", "min", "max", "count")
FUNCTIONS = ("like", "match", "ago")
OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "=",
    ast.NotEq: "<>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
NEVER = "1 = 0"


@dataclass(frozen=True, slots=True)
class Field:
    """Something of a run that can be asked for: a column of its own, or a key of a table."""

    table: str  # "" for a column of the run
    key: str
    column: str  # of the run, or the aggregate of a metric
    place: int  # in the query, for errors and hints

    @property
    def text(self) -> str:
        """As it is written."""
        if not self.table:
            return self.column
        parts = self.key.split(".")  # Python reads some signs beyond ASCII as others: they stand in quotes
        plain = all(part.isascii() and part.isidentifier() and not keyword.iskeyword(part) for part in parts)
        name = f"{self.table}.{self.key}" if plain else f"{self.table}[{json.dumps(self.key, ensure_ascii=False)}]"
        return name if self.column in ("", "last") else f"{name}.{self.column}"


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, text, flag or moment that a query names."""

    value: Any


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition over `runs r`, its arguments, and the fields that it asks for."""

    sql: str
    arguments: tuple[Any, ...]
    fields: tuple[Field, ...]


def compile_query(text: str, now: Callable[[], float]) -> Compiled:
    """The SQL of a query; `now` (seconds since 1970) is what `ago` counts from.

    Raises:
        QueryError: with the column of what can't be understood, and a suggestion where there is one.
    """
    text = re.sub(r"[\r\n]", " ", text)
    if not text.strip():
        return Compiled("1 = 1", (), ())
    try:
        return _Compiler(text, now).compile()
    except RecursionError:
        raise QueryError("this query is nested too deeply", text, 0) from None


def parse_sort(text: str) -> list[tuple[Field, bool]]:
    """The fields to sort by, each with whether it descends: "-metrics.val_acc.max, started".

    Raises:
        QueryError: a part is no field.
    """
    fields = []
    for place, part in _parts(text):
        begin = place + len(part) - len(part.lstrip())
        name = part.strip()
        descending = name.startswith("-")
        compiler = _Compiler(text, lambda: 0.0)
        compiler.shift = begin + descending
        try:
            fields.append((compiler.field_of(name.removeprefix("-")), descending))
        except RecursionError:
            raise QueryError("this is nested too deeply", text, begin) from None
    return fields


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """What stands between commas outside of quotes, each with its place."""
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


def parse_time(text: str) -> int | None:
    """Microseconds since 1970 of an ISO 8601 date or time (UTC unless it says otherwise); None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)


class _Compiler:
    def __init__(self, text: str, now: Callable[[], float]) -> None:
        self.text = text
        self.shift = 0  # of the parsed part within the text
        self._now = now
        self._arguments: list[Any] = []
        self._fields: list[Field] = []

    def compile(self) -> Compiled:
        sql = self._condition(self._parse(self.text))
        return Compiled(sql, tuple(map(_bindable, self._arguments)), tuple(self._fields))

    def field_of(self, name: str) -> Field:
        node = self._parse(name)
        found = self._operand(node)
        if not isinstance(found, Field):
            self._fail(node, f"{name!r} is nothing to sort by: name a field such as metrics.loss.min or started")
        return found

    # From text to nodes

    def _parse(self, text: str) -> ast.expr:
        stripped = text.strip()
        self.shift += len(text) - len(text.lstrip())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "\d" in a pattern is meant
                return ast.parse(stripped, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            column = self.shift + max(0, (getattr(error, "offset", None) or 1) - 1)
            raise QueryError(self._syntax_reason(error), self.text, min(column, len(self.text))) from None

    def _syntax_reason(self, error: Exception) -> str:
        found = re.search(rf"\b({'|'.join(TABLES)})\.({'|'.join(keyword.kwlist)})\b", self.text)
        if found:
            return f'{found[2]!r} is a word of Python: write {found[1]}["{found[2]}"]'
        if re.search(r"(?<![=<>!])=(?!=)", self.text):
            return "did you mean == ?"
        if re.search(r"&&|\|\|", self.text):
            return "write `and` and `or`"
        return f"this is not a query: {getattr(error, 'msg', error)}"

    def _fail(self, node: ast.AST, message: str) -> NoReturn:
        offset = getattr(node, "col_offset", 0)
        if isinstance(node, ast.expr):  # ast counts bytes, a caret counts characters
            line = self.text[self.shift :].encode("utf-8", "replace")[:offset]
            offset = len(line.decode("utf-8", "replace"))
        raise QueryError(message, self.text, self.shift + offset)

    # From nodes to SQL

    def _condition(self, node: ast.expr) -> str:
        if isinstance(node, ast.BoolOp):
            word = " AND " if isinstance(node.op, ast.And) else " OR "
            return "(" + word.join(self._condition(part) for part in node.values) + ")"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"NOT {self._condition(node.operand)}"
        if isinstance(node, ast.Compare):
            return self._comparisons(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
            self._fail(node, "write `and` and `or`, with comparisons on both sides")
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            return "1 = 1" if node.value else NEVER
        found = self._operand(node)
        written = found.text if isinstance(found, Field) else repr(found.value)
        self._fail(node, f"compare {written} with something, such as {written} == 1")

    def _comparisons(self, node: ast.Compare) -> str:
        parts = []
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self._comparison(left, operator, right))
            left = right
        return parts[0] if len(parts) == 1 else "(" + " AND ".join(parts) + ")"

    def _comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> str:
        if isinstance(operator, ast.In | ast.NotIn):
            sql = self._membership(left, right)
            return sql if isinstance(operator, ast.In) else f"NOT {sql}"
        if isinstance(operator, ast.Is | ast.IsNot) or _is_none(left) or _is_none(right):
            if not isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
                self._fail(right, "None has no order: write `is None` or `is not None`")
            sql = self._missing(left, right)
            return sql if isinstance(operator, ast.Is | ast.Eq) else f"NOT {sql}"
        symbol = OPERATORS[type(operator)]
        first, second = self._operand(left), self._operand(right)
        right_of = second
        if isinstance(first, Constant):
            first, second, symbol = second, first, MIRRORED[symbol]
        if isinstance(first, Constant):
            self._fail(left, "both sides are constants: one should be a field, such as params.lr")
        if isinstance(second, Field):
            return self._two_fields(first, symbol, second)
        return self._field_and_constant(first, symbol, second.value, right if isinstance(right_of, Constant) else left)

    def _membership(self, left: ast.expr, right: ast.expr) -> str:
        if not isinstance(right, ast.List | ast.Tuple | ast.Set):
            self._fail(right, "`in` wants a list such as [1, 2]; for a part of a text write like(field, '%part%')")
        field = self._operand(left)
        if not isinstance(field, Field):
            self._fail(left, "a field stands before `in`, such as params.model in ['a', 'b']")
        values = []
        for item in right.elts:
            value = self._operand(item)
            if not isinstance(value, Constant):
                self._fail(item, "the list of `in` holds constants")
            values.append(self._moment(field, value.value, item))
        parts = []
        for kind, text in ((str, True), (int | float, False)):
            chosen = [value for value in values if isinstance(value, kind)]
            if chosen:
                marks = ", ".join("?" * len(chosen))
                parts.append(self._typed(field, f"IN ({marks})", chosen, is_text=text))
        return "(" + " OR ".join(parts) + ")" if parts else NEVER

    def _missing(self, left: ast.expr, right: ast.expr) -> str:
        node = right if _is_none(left) else left
        if not (_is_none(left) or _is_none(right)):
            self._fail(right, "`is` compares with None only: write ==")
        field = self._operand(node)
        if not isinstance(field, Field):
            self._fail(node, "only a field can be None")
        if not field.table:
            return f"r.{field.column} IS NULL" if field.column != "duration" else "r.ended IS NULL"
        extra = f"t.{field.column} IS NOT NULL" if field.table == "metrics" else "t.kind <> 'none'"
        if field.table == "metrics" and field.column == "last":
            extra = "t.count > 0"  # a last value of NaN is not missing
        return f"NOT {self._in_table(field, extra)}"

    def _field_and_constant(self, field: Field, symbol: str, value: Any, node: ast.expr) -> str:
        value = self._moment(field, value, node)
        return self._typed(field, f"{symbol} ?", [value], is_text=isinstance(value, str))

    def _typed(self, field: Field, test: str, values: list[Any], *, is_text: bool) -> str:
        """A test of a field against values of one type; never true where the field is of the other."""
        if not field.table:
            if is_text != (field.column in TEXT_FIELDS):
                return NEVER
            self._arguments += values
            return f"({_column(field)} {test}) IS TRUE"
        if is_text:
            return (
                NEVER
                if field.table == "metrics"
                else self._in_table(field, f"t.kind = 'str' AND t.text {test}", values)
            )
        if field.table == "tags":
            return NEVER
        column = field.column if field.table == "metrics" else "num"
        return self._in_table(field, f"t.{column} {test}", values)

    def _moment(self, field: Field, value: Any, node: ast.expr) -> Any:
        """A constant as a field of its kind holds it: ISO texts become microseconds beside a time."""
        if field.column == "status" and isinstance(value, str) and value not in STATUSES:
            close = get_close_matches(value, STATUSES, 1, 0.5)
            meant = f"did you mean {close[0]!r} ?" if close else f"it is one of {', '.join(STATUSES)}"
            self._fail(node, f"no run has the status {value!r}: {meant}")
        if field.table or field.column not in TIME_FIELDS or isinstance(node, ast.Call):
            return value
        moment = parse_time(value) if isinstance(value, str) else None
        if moment is None:
            self._fail(node, f"{value!r} is no time: write '2026-11-23', '2026-11-23T10:00' or ago('7d')")
        return moment

    def _two_fields(self, first: Field, symbol: str, second: Field) -> str:
        parts = []
        for kind in ("num", "text"):
            values = [self._scalar(field, kind) for field in (first, second)]
            if None in values:
                continue
            sql = []
            for value, arguments in filter(None, values):
                self._arguments += arguments
                sql.append(value)
            parts.append(f"({sql[0]} {symbol} {sql[1]}) IS TRUE")
        return "(" + " OR ".join(parts) + ")" if parts else NEVER

    def _scalar(self, field: Field, kind: str) -> tuple[str, list[Any]] | None:
        """The SQL of a field's value as a number or text; None where it is never one."""
        if not field.table:
            return (_column(field), []) if (field.column in TEXT_FIELDS) == (kind == "text") else None
        if field.table == "metrics":
            if kind == "text":
                return None
            return f"(SELECT t.{field.column} FROM metrics t WHERE t.run = r.n AND t.key = ?)", [field.key]
        if field.table == "env":
            self._fail(ast.Constant(None, col_offset=field.place - self.shift), "compare env with a constant")
        extra = "t.kind = 'str'" if kind == "text" else "t.kind <> 'str'"
        return f"(SELECT t.{kind} FROM {field.table} t WHERE t.run = r.n AND t.key = ? AND {extra})", [field.key]

    def _in_table(self, field: Field, extra: str, values: Iterable[Any] = ()) -> str:
        self._arguments += [field.key, *values]
        if field.table == "env":
            return (
                "r.n IN (SELECT s.run FROM sections s JOIN env t ON t.section = s.section AND t.sha256 = s.sha256 "
                f"WHERE t.key = ? AND {extra})"
            )
        return f"r.n IN (SELECT t.run FROM {field.table} t WHERE t.key = ? AND {extra})"

    def _call(self, node: ast.Call) -> str:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in ("like", "match") or len(node.args) != 2 or node.keywords:
            self._fail(
                node, f"no condition {ast.unparse(node.func)}(…): write like(field, 'a%') or match(field, 'regex')"
            )
        field, pattern = self._operand(node.args[0]), self._operand(node.args[1])
        if not isinstance(field, Field) or not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
            self._fail(node, f"write {name}(field, 'pattern')")
        if name == "match":
            try:
                re.compile(pattern.value)
            except re.error as error:
                self._fail(node.args[1], f"{pattern.value!r} is no regular expression: {error}")
        template = "{} LIKE ? ESCAPE '\\'" if name == "like" else "runlore_match(?, {})"
        if not field.table:
            if field.column not in TEXT_FIELDS:
                return NEVER
            self._arguments.append(pattern.value)
            return f"({template.format(_column(field))}) IS TRUE"
        if field.table == "metrics":
            return NEVER
        return self._in_table(field, f"t.kind = 'str' AND {template.format('t.text')}", [pattern.value])

    # Operands

    def _operand(self, node: ast.expr) -> Field | Constant:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
            return Constant(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self._operand(node.operand)
            if isinstance(inner, Constant) and isinstance(inner.value, int | float):
                return Constant(-inner.value if isinstance(node.op, ast.USub) else inner.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ago":
            return self._ago(node)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return self._field(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            written = re.sub(r"\s", "", ast.unparse(node))
            table, _, rest = written.partition(".")
            if table in TABLES:
                key, _, aggregate = rest.rpartition(".")
                fitting = f'{table}["{key}"].{aggregate}' if aggregate in AGGREGATES else f'{table}["{rest}"]'
                self._fail(node, f"did you mean {fitting} ?")
        if isinstance(node, ast.BinOp):
            self._fail(node, "arithmetic is not part of the language: compare a field with a number")
        self._fail(node, f"{ast.unparse(node)} is neither a field nor a constant")

    def _field(self, node: ast.expr) -> Field:
        parts: list[str] = []
        quoted: list[bool] = []
        inner = node
        while isinstance(inner, ast.Attribute | ast.Subscript):
            if isinstance(inner, ast.Attribute):
                parts.append(inner.attr)
                quoted.append(False)
                inner = inner.value
                continue
            if not isinstance(inner.slice, ast.Constant) or not isinstance(inner.slice.value, str):
                self._fail(inner, 'a name in brackets is a text: params["learning rate"]')
            parts.append(inner.slice.value)
            quoted.append(True)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            self._fail(inner, f"{ast.unparse(inner)} is no field")
        parts.reverse()
        quoted.reverse()
        field = self._named(inner, parts, quoted)
        self._fields.append(field)
        return field

    def _named(self, root: ast.Name, parts: list[str], quoted: list[bool]) -> Field:
        place = self.shift + root.col_offset
        if root.id in FIELDS and not parts:
            return Field("", "", root.id, place)
        if root.id not in TABLES:
            self._fail(root, self._unknown(root.id, parts))
        if not parts:
            self._fail(root, f"{root.id} is a table: name a key, such as {root.id}.{_example(root.id)}")
        if root.id != "metrics":
            return Field(root.id, ".".join(parts), "", place)
        aggregate = "last"
        if len(parts) > 1 and not quoted[-1] and parts[-1] in AGGREGATES:
            aggregate = parts.pop()
        return Field("metrics", ".".join(parts), aggregate, place)

    def _unknown(self, name: str, parts: list[str]) -> str:
        if name in FIELDS:
            return f"{name} has no parts"
        close = get_close_matches(name, (*FIELDS, *TABLES, *FUNCTIONS), 1, 0.5)
        rest = "".join(f".{part}" for part in parts)
        if close:
            return f"there is no {name!r}: did you mean {close[0]}{rest} ?"
        if parts:
            return f"there is no {name!r}: fields begin with {', '.join(TABLES)}"
        return f"there is no field {name!r}: did you mean params.{name} or metrics.{name} ?"

    def _ago(self, node: ast.Call) -> Constant:
        value = node.args[0].value if len(node.args) == 1 and isinstance(node.args[0], ast.Constant) else None
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", str(value))
        if not found:
            self._fail(node, "write ago('7d'): a number and one of s, m, h, d, w")
        return Constant(int((self._now() - float(found[1]) * UNITS[found[2]]) * 1e6))


def hints(
    query: str, fields: Iterable[Field], known: Callable[[Field], list[str]], elsewhere: Callable[[Field], list[Field]]
) -> list[str]:
    """For fields whose key no run has: what may have been meant, with a caret below the place.

    `known` gives the keys that the runs have instead, and nothing where the field's own key is among them; `elsewhere`
    the fields of other tables that have the key.
    """
    found = []
    for field in fields:
        keys = known(field) if field.table else []
        if keys or (field.table and elsewhere(field)):
            ends = [key for key in keys if re.search(rf"(__|[./]){re.escape(field.key)}$", key)]
            close = ends[:1] or get_close_matches(field.key, keys, 1, 0.6)
            better = [found.text for found in elsewhere(field)[:1]]
            better = better or [Field(field.table, key, field.column, field.place).text for key in close]
            reason = f"no run has {field.text}" + "".join(f": did you mean {text} ?" for text in better)
            found.append(f"{reason}\n  {query}\n  {' ' * field.place}^")
    return found


def _bindable(value: Any) -> Any:
    """A value as every database takes it: flags as numbers, whole numbers beyond 64 bits as floats, clean text."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value


def _column(field: Field) -> str:
    return "((r.ended - r.started) / 1000000.0)" if field.column == "duration" else f"r.{field.column}"


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _example(table: str) -> str:
    examples = {"params": "lr", "metrics": "loss.min", "summary": "train_runtime", "tags": "team"}
    return (examples | {"env": "python.version", "data": "X.fingerprint"})[table]


def field_of(text: str, table: str = "") -> Field:
    """A field of the query language; a name alone is a key of `table`.

    Raises:
        QueryError: it is neither.
    """
    try:
        fields = [field for field, _ in parse_sort(text)]
    except QueryError:
        if not table or text.partition(".")[0] in ("params", "metrics", "tags", "summary", "env", "data"):
            raise
        fields = []
    if len(fields) > 1:
        names = " and ".join(field.text for field in fields)
        raise QueryError(f"{text!r} is several fields, {names}: name each by an option of its own", text, 0)
    if fields:
        return fields[0]
    key, dot, last = text.rpartition(".")
    aggregate = last if dot and last in ("last", "min", "max", "count") else "last"
    return Field(table, key if dot and last == aggregate else text, aggregate if table == "metrics" else "", 0)
