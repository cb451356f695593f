"""HTML for notebooks."""

from collections.abc import Sequence
from html import escape

MAX_CHARACTERS = 200  # of a cell


def page(title: str, facts: str, *tables: str) -> str:
    """Return a heading, a line of facts, and tables of `table` below them; texts are escaped."""
    return f"<div><b>{escape(title)}</b><br><small>{escape(facts)}</small>{''.join(tables)}</div>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], more: int = 0) -> str:
    """Return a table; nothing without rows. Texts are escaped. `more` counts the rows that are left out."""
    if not rows:
        return ""
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(_cut(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    note = f"<small>… and {more} more</small>" if more > 0 else ""
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>{note}"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
