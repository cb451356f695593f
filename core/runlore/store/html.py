"""HTML for notebooks."""

from collections.abc import Sequence
from html import escape

from runlore._text import visible_text

MAX_CHARACTERS = 200  # of a text


def page(title: str, facts: str, *tables: str) -> str:
    """Return a heading, a line of facts, and tables of `table` below them; texts are text."""
    return f"<div><b>{_told(title)}</b><br><small>{escape(visible_text(facts))}</small>{''.join(tables)}</div>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], more: int = 0) -> str:
    """Return a table; nothing without rows. `more` counts the rows that are left out."""
    if not rows:
        return ""
    cells = "".join(f"<th>{_told(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{_told(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    note = f"<small>… and {more} more</small>" if more > 0 else ""
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>{note}"


def _told(text: str) -> str:
    """Return recorded text as text of a page: no markup, with hidden characters as escapes, and cut if it is long."""
    cut = text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
    return escape(visible_text(cut))
