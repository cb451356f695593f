"""The conditions that a query is made of: what `parse` makes of a text, and `sql` of conditions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from runlore.index.fields import Field

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Always:
    """True for every run, or for none."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """True where a condition is not."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Junction:
    """True where all of some conditions are, or one of them."""

    word: Literal["AND", "OR"]
    conditions: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field beside a constant. Times are microseconds since 1970."""

    field: Field
    operator: str  # of SQL
    value: Value


@dataclass(frozen=True, slots=True)
class FieldComparison:
    """A field beside another one of the same run."""

    left: Field
    operator: str  # of SQL
    right: Field


@dataclass(frozen=True, slots=True)
class Membership:
    """A field that has one of some values."""

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that has no value."""

    field: Field


@dataclass(frozen=True, slots=True)
class Match:
    """A text that fits a pattern: of SQL's LIKE, or a regular expression."""

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
