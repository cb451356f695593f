"""`runlore diff`: why two runs differ."""

from itertools import groupby

import click
from rich.console import Console
from rich.markup import escape

from runlore._text import line_text, number_text, visible_text
from runlore.cli._options import RunPart, console, grid, json_option, print_json, store_option
from runlore.comparison import Change, Comparison, compare
from runlore.documents import comparison_document
from runlore.store import open_store

MOST = 20  # changes of a group; --full shows all
LINES = 120  # of all unified diffs together
VALUE = 60  # characters of a value


@click.command()
@click.argument("a", type=RunPart())
@click.argument("b", type=RunPart())
@click.option("--full", is_flag=True, help="Every change, every line of code, values uncut.")
@json_option
@store_option
def diff(a: str, b: str, full: bool, as_json: bool, store: str | None) -> None:
    """Show what differs between two runs.

    Data, params, code, packages, environment, hardware and command, and what came of it; nothing that is the same.
    """
    place = open_store(store)
    found = compare(place.run(a), place.run(b))
    if as_json:
        print_json(comparison_document(found))
        return
    _print(found, console(), full=full)


def _print(found: Comparison, out: Console, *, full: bool) -> None:
    if not found:
        out.print(f"{escape(visible_text(found.a.name))} and {escape(visible_text(found.b.name))} do not differ")
    heads = [f"{name} {visible_text(run.name)}" for name, run in (("a:", found.a), ("b:", found.b))]
    if found.metrics:
        table = grid(["metrics", *heads, "b - a"], right=(1, 2, 3))
        for key in sorted(found.metrics, key=lambda key: (key.startswith("system/"), key)):
            x, y = found.metrics[key]
            change = number_text(y - x) if x is not None and y is not None else ""
            table.add_row("  " + escape(line_text(key, 40)), number_text(x), number_text(y), change)
        out.print(table)
    for group, items in groupby(found.changes, key=lambda change: change.group):
        changes = list(items)
        out.print()
        plain = [change for change in changes if change.diff is None]
        if plain:
            _print_values(out, group, plain, heads, full=full)
        _print_code(out, [change for change in changes if change.diff is not None], full=full)
    for note in found.notes:
        out.print(f"[dim]{escape(visible_text(note))}[/]")


def _print_values(out: Console, group: str, changes: list[Change], heads: list[str], *, full: bool) -> None:
    width = 10_000 if full else VALUE
    table = grid([group, *heads])
    for column in table.columns[1:]:
        column.overflow, column.no_wrap = "fold", False
    for change in changes if full else changes[:MOST]:
        values = [escape(line_text(_text(value), width)) for value in (change.a, change.b)]
        table.add_row("  " + escape(line_text(change.key, 40)), *values)
    out.print(table)
    if not full and len(changes) > MOST:
        out.print(f"  [dim]… and {len(changes) - MOST} more (--full shows all)[/]")


def _print_code(out: Console, changes: list[Change], *, full: bool) -> None:
    lines = [line for change in changes for line in (change.diff or "").splitlines()]
    for line in lines if full else lines[:LINES]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        style = "bold" if line.startswith(("diff ", "--- ", "+++ ")) else style
        out.print("  " + escape(visible_text(line)), style=style, soft_wrap=True, overflow="ignore", crop=False)
    if not full and len(lines) > LINES:
        out.print(f"  [dim]… and {len(lines) - LINES} more lines (--full shows all)[/]")


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ".join(map(str, value)) if all(isinstance(item, str) for item in value) else str(value)
    return number_text(value) if isinstance(value, float) else str(value)
