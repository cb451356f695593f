"""Restrict a query to the runs that a table shows or that statistics count."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from runlore._text import count_text, line_text
from runlore.errors import QueryError
from runlore.index.fields import BARE, TABLES, Field
from runlore.index.parse import parse_field
from runlore.index.select import values_of
from runlore.index.sql import compile_query
from runlore.log.record import REPRODUCES
from runlore.store.store import Store

MAX_NAMED = 5  # runs that are left out
NAME_CHARS = 24  # of such a run


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run of a query that does not count, as it has not finished."""

    id: str
    name: str
    status: str


def with_children(where: str, show_all: bool) -> str:
    """Return a query without children, unless `show_all` is set or the query names `parent`."""
    if show_all or re.search(r"\bparent\b", where) is not None:
        return where
    return f"({where}) and parent is None" if where else "parent is None"


def independent(where: str, show_all: bool) -> str:
    """Return a query without children and without repetitions of other runs, which would count twice."""
    with_repetitions = show_all or f"tags.{REPRODUCES}" in where
    where = with_children(where, show_all)
    if with_repetitions:
        return where
    return f"({where}) and tags.{REPRODUCES} is None" if where else f"tags.{REPRODUCES} is None"


def well_ended(store: Store, where: str, chosen: str, by: Sequence[str] = ()) -> tuple[str, tuple[LeftOut, ...]]:
    """Return the query `chosen` for runs that finished, and those of it that did not, the oldest first.

    Where the user's own query, `where`, or a field that groups the runs (`by`) names the status, it stays as it is, and
    no run is left out.

    Raises:
        QueryError: a query or a field can't be understood.
    """
    status = parse_field("status")
    named = [*store.check_query(where), *(parse_field(text, "params") for text in by)]
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
