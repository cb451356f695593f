"""Conditions, the parts of a query: `parse` makes them of its text, `sql` translates them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from runlore.index.fields import ID_FIELDS, Field

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Always:
    """A condition that holds for every run, or for none."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a condition."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions joined by AND or OR."""

    word: Literal["AND", "OR"]
    conditions: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of a field with a constant. Times are microseconds since 1970."""

    field: Field
    operator: str  # of SQL
    value: Value


@dataclass(frozen=True, slots=True)
class FieldComparison:
    """The comparison of two fields of a run."""

    left: Field
    operator: str  # of SQL
    right: Field


@dataclass(frozen=True, slots=True)
class Membership:
    """The test that a field has one of some values."""

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """The test that a field has no value."""

    field: Field


@dataclass(frozen=True, slots=True)
class Match:
    """The test that the text of a field fits a pattern: of SQL's LIKE, or a regular expression."""

    field: Field
    function: Literal["like", "match"]
    pattern: str


Condition = Always | Not | Junction | Comparison | FieldComparison | Membership | Missing | Match


def fields_of(condition: Condition) -> Iterator[Field]:
    """Yield the fields that a condition names, in the order of the query."""
    match condition:
        case Always():
            return
        case Not():
            yield from fields_of(condition.condition)
        case Junction():
            for part in condition.conditions:
                yield from fields_of(part)
        case FieldComparison():
            yield from (condition.left, condition.right)
        case _:
            yield condition.field


def ids_of(condition: Condition) -> Iterator[tuple[Field, Value]]:
    """Yield each field that holds an id, with what it is compared with, in the order of the query."""
    match condition:
        case Not(inner):
            yield from ids_of(inner)
        case Junction(_, parts):
            for part in parts:
                yield from ids_of(part)
        case Comparison(field, _, value) if field.column in ID_FIELDS and not field.table:
            yield field, value
        case Membership(field, values) if field.column in ID_FIELDS and not field.table:
            yield from ((field, value) for value in values)
