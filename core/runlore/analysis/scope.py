"""Restrict a query to the runs that a table shows or that statistics count."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from runlore._text import count_text, line_text
from runlore.errors import QueryError
from runlore.index.conditions import fields_of
from runlore.index.fields import BARE, TABLES, Field
from runlore.index.parse import parse_field, parse_query
from runlore.index.select import values_of
from runlore.index.sql import compile_query
from runlore.log.record import REPRODUCES
from runlore.store.store import Store

MAX_NAMED = 5  # runs that are left out
NAME_CHARS = 24  # of such a run


class Kind(NamedTuple):
    """Runs that tables leave out: the word that asks for them, the field that names them, the query of all others."""

    word: str
    field: Field
    others: str

    def is_left_out(self, where: str, also: Collection[str]) -> bool:
        """Return True unless `also` has the word, or the query names the field."""
        return self.word not in also and all(field.text != self.field.text for field in fields_named(where))


CHILDREN = Kind("children", parse_field("parent"), "parent is None")
ARCHIVED = Kind("archived", parse_field("tags.archived"), "not archived")
REPETITIONS = Kind("children", parse_field(f"tags.{REPRODUCES}"), f"tags.{REPRODUCES} is None")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run of a query that does not count, as it has not finished."""

    id: str
    name: str
    status: str


def listed(where: str, also: Collection[str] = ()) -> str:
    """Return a query without children and archived runs, but for those that `also` asks for or the query names.

    `also` may have "children" and "archived".

    Raises:
        QueryError: the query can't be understood.
    """
    return _without(where, also, (CHILDREN, ARCHIVED))


def independent(where: str, also: Collection[str] = ()) -> str:
    """Return a query as `listed` does, also without repetitions of other runs, which would count twice."""
    return _without(where, also, (CHILDREN, ARCHIVED, REPETITIONS))


def fields_named(where: str) -> list[Field]:
    """Return the fields that a query names.

    Raises:
        QueryError: it can't be understood.
    """
    return list(fields_of(parse_query(where, time.time)))


def _without(where: str, also: Collection[str], kinds: Sequence[Kind]) -> str:
    others = [kind.others for kind in kinds if kind.is_left_out(where, also)]
    return " and ".join([f"({where})", *others] if where and others else [where] if where else others)


def well_ended(store: Store, where: str, chosen: str, by: Sequence[str] = ()) -> tuple[str, tuple[LeftOut, ...]]:
    """Return the query `chosen` for runs that finished, and those of it that did not, the oldest first.

    Where the user's own query, `where`, or a field that groups the runs (`by`) names the status, it stays as it is, and
    no run is left out.

    Raises:
        QueryError: a query or a field can't be understood.
    """
    status = parse_field("status")
    named = [*fields_named(where), *(parse_field(text, "params") for text in by)]
    if any((field.table, field.column) == (status.table, status.column) for field in named):
        return chosen, ()
    text = f"({chosen}) and " if chosen else ""
    others = compile_query(f"{text}status != 'finished'", time.time)
    left_out = (LeftOut(run_id, name or "", state) for run_id, name, state in store.ask(values_of, others, [status]))
    return f"{text}status == 'finished'", tuple(left_out)


def left_out_text(runs: Sequence[LeftOut]) -> str:
    """Say which runs did not count, and how they would."""
    named = [f"{line_text(run.name, NAME_CHARS)} ({run.status})" for run in runs[:MAX_NAMED]]
    more = f" and {len(runs) - MAX_NAMED} more" if len(runs) > MAX_NAMED else ""
    names = f"{', '.join(named)}{more}"
    return f"{count_text(len(runs), 'run')} left out, not finished: {names}. A query that names status counts them."


def field_named(store: Store, text: str, table: str = "") -> Field:
    """Return the field that a text names; a bare name stands for the first table of `BARE` in which some run has it.

    Where none has, it stands for a key of `table`.

    Raises:
        QueryError: it is none; or a bare name that no run has, and there is no `table`.
    """
    try:
        return parse_field(text)
    except QueryError:
        if text.partition(".")[0] in TABLES:
            raise
        for place in BARE:
            field = parse_field(text, place)
            if store.has_key(field):
                return field
        if not table:
            raise
    return parse_field(text, table)
