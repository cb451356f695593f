"""Restrict a query to the runs that a table shows or that statistics count."""

import re

from runlore.log.record import REPRODUCES
from runlore.store.runs import RunList
from runlore.store.store import Store


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


def well_ended(store: Store, where: str, chosen: str) -> tuple[str, RunList | None]:
    """Return the query `chosen` for runs that finished, and those of it that did not.

    Where the user's own query, `where`, names the status, it stays as it is, and no run is left out.
    """
    if any(not field.table and field.column == "status" for field in store.check_query(where)):
        return chosen, None
    text = f"({chosen}) and " if chosen else ""
    return f"{text}status == 'finished'", store.runs(f"{text}status != 'finished'", sort="id")
