"""`runlore diff`: why two runs differ."""

import os
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from runlore._text import line_text, number_text, visible_text
from runlore.analysis.comparison import ASIDE, Change, Comparison, WorkingTree, compare
from runlore.analysis.ranking import is_aside
from runlore.cli.options import RunPart, console, grid, json_option, print_json, store_option, terminal_width
from runlore.documents import comparison_document
from runlore.plugins.code import is_program
from runlore.store.runs import RecordedRun
from runlore.store.store import Store, open_store

MOST = 20  # changes of a group; --full shows all
LINES = 120  # of all unified diffs together
OF_TEXT = 15  # of that of a file that is no program
KEY = 30  # characters of a key
NAME = 16  # of a run's name above a column
FINGERPRINT = 12  # digits of one; `which-run` takes them


@click.command()
@click.argument("a", metavar="A", type=RunPart())
@click.argument("b", metavar="B", type=RunPart())
@click.option("--full", is_flag=True, help="Every change and metric, every line of code, values uncut.")
@click.option("--stat", is_flag=True, help="Only how much differs of what.")
@json_option
@store_option
def diff(a: str, b: str, full: bool, stat: bool, as_json: bool, store: str | None) -> None:
    """Show why two runs differ: only what is not the same.

    Data, params, code, packages, seeds, environment, hardware and command, in the order in which they most likely
    matter, then the metrics. A or B may be a folder, such as ".": the code and the packages that are there now.
    """
    place = open_store(store)
    found = compare(_side(place, a), _side(place, b))
    if as_json:
        print_json(comparison_document(found))
    elif not found:
        click.echo(f"{visible_text(found.a.name)} and {visible_text(found.b.name)} do not differ")
        _print_notes(found, console())
    elif stat:
        _print_stat(found, console())
    else:
        print_comparison(found, console(), full=full)


def _side(place: Store, text: str) -> RecordedRun | WorkingTree:
    if text in (os.curdir, os.pardir) or os.sep in text:
        folder = Path(text).resolve()
        if not folder.is_dir():
            raise click.UsageError(f"{text!r} is no folder")
        return WorkingTree(folder)
    return place.run(text)


def _group(change: Change) -> str:
    return ASIDE if change.aside else change.group


def _print_stat(found: Comparison, out: Console) -> None:
    table = grid(["", "differ", "", ""], right=(1, 2, 3))
    for group, items in groupby(found.changes, key=_group):
        changes = list(items)
        table.add_row(f"  {group}", str(len(changes)), "", "")
        for change in changes:
            if change.diff is not None:
                lines = change.diff.splitlines()
                counts = [sum(line[:1] == sign and line[:3] != sign * 3 for line in lines) for sign in "+-"]
                added, removed = (f"{sign}{count}" for sign, count in zip("+-", counts, strict=True))
                table.add_row(
                    "    " + escape(line_text(change.key, 60)), "", f"[green]{added}[/]", f"[red]{removed}[/]"
                )
    if found.metrics:
        table.add_row("  metrics", str(len(found.metrics)), "", "")
    out.print(table)
    _print_notes(found, out)


def _print_notes(found: Comparison, out: Console) -> None:
    for note in found.notes:
        out.print(f"[dim]{escape(visible_text(note))}[/]", soft_wrap=True)


def print_comparison(found: Comparison, out: Console, *, full: bool) -> None:
    """What differs, group by group; then the metrics."""
    heads = [f"{side}: {line_text(run.name, NAME)}" for side, run in (("a", found.a), ("b", found.b))]
    for group, items in groupby(found.changes, key=_group):
        changes = list(items)
        _print_code(out, [change for change in changes if change.diff is not None], full=full)
        plain = [change for change in changes if change.diff is None]
        if plain:
            _print_values(out, group, plain, heads, full=full)
        out.print()
    _print_metrics(out, found, heads, full=full)
    _print_notes(found, out)


def _print_metrics(out: Console, found: Comparison, heads: list[str], *, full: bool) -> None:
    keys = [key for key in found.metrics if full or not is_aside(key)]
    if keys:
        table = grid(["metrics", *heads, "b - a", "part at step"], right=range(1, 5))
        for key in keys:
            x, y = found.metrics[key]
            change = number_text(y - x) if x is not None and y is not None else ""
            step = found.partings.get(key)
            cells = [number_text(x), number_text(y), change, "" if step is None else str(step)]
            table.add_row("  " + escape(line_text(key, KEY)), *cells)
        out.print(table)
    if len(keys) < len(found.metrics):
        out.print(f"  [dim]and {len(found.metrics) - len(keys)} of time and machine (--full shows them)[/]")


def _print_values(out: Console, group: str, changes: list[Change], heads: list[str], *, full: bool) -> None:
    shown = changes if full else changes[:MOST]
    room = terminal_width() - max(len(line_text(change.key, KEY)) for change in shown) - 8
    width = 10_000 if full else max(NAME + 3, room // 2)
    table = grid([group, *heads])
    for column in table.columns[1:]:
        column.overflow, column.no_wrap = "fold", False
    for change in shown:
        values = [_text(value) for value in (change.a, change.b)]
        if values[0] == values[1]:  # 1 and "1", or floats that differ in a late digit
            values = [repr(value) for value in (change.a, change.b)]
        if not full and change.key.endswith("fingerprint"):
            values = [value[:FINGERPRINT] for value in values]
        cells = [escape(line_text(value, width)) for value in values]
        table.add_row("  " + escape(line_text(change.key, KEY)), *cells)
    out.print(table)
    if not full and len(changes) > MOST:
        out.print(f"  [dim]… and {len(changes) - MOST} more (--full shows all)[/]")


def _print_code(out: Console, changes: list[Change], *, full: bool) -> None:
    lines = [line for change in changes for line in _lines(change, full)]
    for line in lines if full else lines[:LINES]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        style = "bold" if line.startswith(("diff ", "--- ", "+++ ")) else style
        out.print("  " + escape(visible_text(line)), style=style, soft_wrap=True, overflow="ignore", crop=False)
    if not full and len(lines) > LINES:
        out.print(f"  [dim]… and {len(lines) - LINES} more lines (--full shows all)[/]")


def _lines(change: Change, full: bool) -> list[str]:
    """The difference of a file; only its beginning, where it may well be data."""
    lines = (change.diff or "").splitlines()
    if full or is_program(change.key) or len(lines) <= OF_TEXT + 1:
        return lines
    return [*lines[:OF_TEXT], f"… {len(lines) - OF_TEXT} more lines of {change.key} (--full shows them)"]


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ".join(map(str, value)) if all(isinstance(item, str) for item in value) else str(value)
    return number_text(value) if isinstance(value, float) else str(value)
