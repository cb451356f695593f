"""Choose the runs that a comparison is about: with their children, or independent ones only."""

import re

from runlore.log.record import REPRODUCES


def with_children(where: str, show_all: bool) -> str:
    """The query that leaves children out, unless they are asked for or it names `parent`."""
    if show_all or re.search(r"\bparent\b", where) is not None:
        return where
    return f"({where}) and parent is None" if where else "parent is None"


def independent(where: str, show_all: bool) -> str:
    """The query that leaves out what must not count twice, too: runs that do another again."""
    with_them = show_all or f"tags.{REPRODUCES}" in where
    where = with_children(where, show_all)
    return where if with_them else f"({where}) and tags.{REPRODUCES} is None" if where else f"tags.{REPRODUCES} is None"
