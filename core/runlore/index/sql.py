"""Conditions as SQL that both SQLite and PostgreSQL read; `?` stands for an argument."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

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
    fields_of,
    ids_of,
)
from runlore.index.fields import TEXT_FIELDS, Field
from runlore.index.parse import parse_query

LIKE = "{} LIKE ? ESCAPE '\\'"
MATCH = "runlore_match(?, {})"
TEXT_KINDS = "('str', 'obj', 'list')"  # kinds of values that are asked for as texts


class Clause(NamedTuple):
    """A piece of SQL, and the arguments for each `?` in it, in their order."""

    sql: str
    arguments: tuple[Any, ...] = ()


ALWAYS = Clause("1 = 1")
NEVER = Clause("1 = 0")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query as a condition over `runs r`, its arguments, the fields that it names, and what stands beside ids."""

    sql: str
    arguments: tuple[Any, ...]
    fields: tuple[Field, ...]
    ids: tuple[tuple[Field, Value], ...] = ()


def compile_query(text: str, now: Callable[[], float]) -> Compiled:
    """Return the SQL of a query; `now` (seconds since 1970) is what `ago` counts from.

    Raises:
        QueryError: with the column of what can't be understood, and a suggestion where there is one.
    """
    condition = parse_query(text, now)
    sql, arguments = to_sql(condition)
    return Compiled(sql, tuple(map(_bindable, arguments)), tuple(fields_of(condition)), tuple(ids_of(condition)))


def to_sql(condition: Condition) -> Clause:
    """Return a condition over `runs r`; it is true or false, never NULL."""
    match condition:
        case Always():
            return ALWAYS if condition.value else NEVER
        case Not():
            sql, arguments = to_sql(condition.condition)
            return Clause(f"NOT {sql}", arguments)
        case Junction():
            return _joined(f" {condition.word} ", [to_sql(part) for part in condition.conditions])
        case Comparison():
            if is_large(condition.value) and condition.field.table not in ("", "metrics"):
                return _compare_large(condition.field, condition.operator, condition.value)
            return _test(condition.field, f"{condition.operator} ?", [condition.value])
        case FieldComparison():
            return _compare_fields(condition)
        case Membership():
            return _membership(condition)
        case Missing():
            return _missing(condition.field)
        case Match():
            return _match(condition)


def column_of(field: Field) -> str:
    """Return the SQL of a column of a run, a field without a table."""
    return "(r.ran / 1000000.0)" if field.column == "duration" else f"r.{field.column}"


def _joined(word: str, clauses: Sequence[Clause]) -> Clause:
    arguments = tuple(argument for clause in clauses for argument in clause.arguments)
    return Clause(f"({word.join(clause.sql for clause in clauses)})", arguments)


def _any_of(clauses: Sequence[Clause]) -> Clause:
    return _joined(" OR ", clauses) if clauses else NEVER


def _test(field: Field, test: str, values: Sequence[Any]) -> Clause:
    """Return a test of a field against values of one type; it is never true where the field is of the other."""
    is_text = isinstance(values[0], str)
    if not field.table:
        if is_text != (field.column in TEXT_FIELDS):
            return NEVER
        return Clause(f"({column_of(field)} {test}) IS TRUE", tuple(values))
    if is_text:
        return (
            NEVER if field.table == "metrics" else _in_table(field, f"t.kind IN {TEXT_KINDS} AND t.text {test}", values)
        )
    if field.table == "tags":
        return NEVER
    return _in_table(field, f"t.{field.column if field.table == 'metrics' else 'num'} {test}", values)


def _membership(condition: Membership) -> Clause:
    texts = [value for value in condition.values if isinstance(value, str)]
    large = [value for value in condition.values if is_large(value) and condition.field.table not in ("", "metrics")]
    numbers = [value for value in condition.values if not isinstance(value, str) and value not in large]
    alike = [values for values in (texts, numbers) if values]
    found = [_test(condition.field, f"IN ({', '.join('?' * len(values))})", values) for values in alike]
    return _any_of([*found, *(_compare_large(condition.field, "=", value) for value in large)])


def _compare_large(field: Field, operator: str, value: int) -> Clause:
    """Return an exact comparison with a whole number beyond 64 bits, which the index holds as a float and as text."""
    near = _bindable(value)
    text = str(value)
    sign = 1 if value > 0 else -1
    longer, same = f"{sign} * length(t.text)", "t.kind = 'int' AND t.num = ?"
    if operator in ("=", "!=", "<>"):
        test = f"({same} AND t.text = ?)"
        return _in_table(field, test if operator == "=" else f"t.num IS NOT NULL AND NOT {test}", [near, text])
    strict, least = operator[0], operator.endswith("=")
    digits = strict if sign > 0 else {"<": ">", ">": "<"}[strict]
    exactly = f"{longer} {strict} ? OR ({longer} = ? AND t.text {digits}{'=' if least else ''} ?)"
    test = f"(t.num {strict} ? OR ({same} AND ({exactly})))"
    return _in_table(field, test, [near, near, sign * len(text), sign * len(text), text])


def _missing(field: Field) -> Clause:
    if not field.table:
        return Clause(f"r.{field.column} IS NULL" if field.column != "duration" else "r.ran IS NULL")
    present = f"t.{field.column} IS NOT NULL" if field.table == "metrics" else "t.kind <> 'none'"
    if field.table == "metrics" and field.column == "last":
        present = "t.count > 0"  # a last value of NaN is not missing
    sql, arguments = _in_table(field, present)
    return Clause(f"NOT {sql}", arguments)


def _match(condition: Match) -> Clause:
    field, template = condition.field, LIKE if condition.function == "like" else MATCH
    if not field.table:
        if field.column not in TEXT_FIELDS:
            return NEVER
        return Clause(f"({template.format(column_of(field))}) IS TRUE", (condition.pattern,))
    if field.table == "metrics":
        return NEVER
    return _in_table(field, f"t.kind IN {TEXT_KINDS} AND {template.format('t.text')}", [condition.pattern])


def _compare_fields(condition: FieldComparison) -> Clause:
    """Return a comparison of two fields as numbers, or as texts, as far as they may be both."""
    clauses = []
    for kind in ("num", "text"):
        left, right = _value(condition.left, kind), _value(condition.right, kind)
        if left is not None and right is not None:
            sql = f"({left.sql} {condition.operator} {right.sql}) IS TRUE"
            clauses.append(Clause(sql, left.arguments + right.arguments))
    return _any_of(clauses)


def _value(field: Field, kind: str) -> Clause | None:
    """Return a field's value as a number ("num") or a text ("text"); None where it is never one."""
    if not field.table:
        return Clause(column_of(field)) if (field.column in TEXT_FIELDS) == (kind == "text") else None
    if field.table == "metrics":
        value = f"(SELECT t.{field.column} FROM metrics t WHERE t.run = r.n AND t.key = ?)"
        return Clause(value, (field.key,)) if kind == "num" else None
    of_kind = f"t.kind {'' if kind == 'text' else 'NOT '}IN {TEXT_KINDS}"
    value = f"(SELECT t.{kind} FROM {field.table} t WHERE t.run = r.n AND t.key = ? AND {of_kind})"
    return Clause(value, (field.key,))


def _in_table(field: Field, test: str, values: Sequence[Any] = ()) -> Clause:
    """Return a test of the rows that runs have for a field's key."""
    arguments = (field.key, *values)
    if field.table == "env":
        sections = "sections s JOIN env t ON t.section = s.section AND t.sha256 = s.sha256"
        return Clause(f"r.environment IN (SELECT s.environment FROM {sections} WHERE t.key = ? AND {test})", arguments)
    return Clause(f"r.n IN (SELECT t.run FROM {field.table} t WHERE t.key = ? AND {test})", arguments)


def is_large(value: Any) -> TypeGuard[int]:
    """Return True for a whole number that 64 bits don't hold."""
    return isinstance(value, int) and not -(1 << 63) <= value < 1 << 63


def _bindable(value: Any) -> Any:
    """Return a value as every database takes it: flags as numbers, integers beyond 64 bits as floats, clean text."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if is_large(value):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value
