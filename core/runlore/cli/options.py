"""What several commands share: the options --store and --json, run ids that complete themselves, the console."""

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from runlore.store.store import open_store

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


store_option = click.option(
    "--store", metavar="PLACE", help="The store's folder or URL [default: found like .git, or $RUNLORE_STORE]."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")

children_option = click.option("--all", "show_all", is_flag=True, help="All runs, children included.")

STATUS_STYLES = {"finished": "green", "running": "blue", "failed": "red", "crashed": "red", "interrupted": "yellow"}


class RunPart(click.ParamType):  # type: ignore[type-arg]
    """A unique part of a run's id, or its name; shells complete names."""

    name = "run"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The newest runs whose name or short id begins like this."""
        runs = open_store(ctx.params.get("store")).runs(limit=200)
        found = [CompletionItem(run.name, help=run.status) for run in runs if run.name.startswith(incomplete)]
        return found + [CompletionItem(run.id) for run in runs if incomplete and run.id.startswith(incomplete)]


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    json.dump(document, sys.stdout, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def console(width: int = 0) -> "Console":
    """Where tables are printed: as wide as the terminal (80 columns in a pipe), at least `width`."""
    from rich.console import Console

    return Console(
        width=max(width, terminal_width()), highlight=False, soft_wrap=False, no_color=not sys.stdout.isatty() or None
    )


def print_whole(table: "Table") -> None:
    """A table that is not cut where the terminal is narrower: numbers must stay whole."""
    out = console()
    console(out.measure(table, options=out.options.update(width=10_000)).maximum).print(table)


def terminal_width() -> int:
    """Columns there are for a table."""
    if "COLUMNS" in os.environ or sys.stdout.isatty():
        return shutil.get_terminal_size((80, 24)).columns
    return 80


def grid(heads: list[str], right: "tuple[int, ...] | range" = ()) -> "Table":
    """A table without lines, its columns unbroken; `right` names those that hold numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, head in enumerate(heads):
        table.add_column(
            ("  " if place == 0 else "") + head, justify="right" if place in right else "left", no_wrap=True
        )
    return table
