"""Restrict a query to the runs that a table shows or that statistics count."""

import re

from runlore.log.record import REPRODUCES


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
