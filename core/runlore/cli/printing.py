"""Output of commands: JSON documents, and tables on a console of the right width."""

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_COLUMNS = 80  # of a table that is not printed on a terminal
STATUS_STYLES = {"finished": "green", "running": "blue", "failed": "red", "crashed": "red", "interrupted": "yellow"}


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    json.dump(document, sys.stdout, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def console(width: int = 0) -> "Console":
    """Return a console as wide as the terminal, but at least of `width` columns; it has colours on a terminal only."""
    from rich.console import Console

    return Console(
        width=max(width, terminal_width()), highlight=False, soft_wrap=False, no_color=not sys.stdout.isatty() or None
    )


def print_whole(table: "Table") -> None:
    """Print a table in full width, where the terminal is narrower, too: numbers must not be cut."""
    out = console()
    console(out.measure(table, options=out.options.update(width=10_000)).maximum).print(table)


def terminal_width() -> int:
    """Return the number of columns for a table."""
    if "COLUMNS" in os.environ or sys.stdout.isatty():
        return shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns
    return PIPE_COLUMNS


def grid(heads: list[str], right: "tuple[int, ...] | range" = ()) -> "Table":
    """Make a table without lines whose cells don't wrap; the columns `right` are aligned to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, head in enumerate(heads):
        table.add_column(
            ("  " if place == 0 else "") + head, justify="right" if place in right else "left", no_wrap=True
        )
    return table
