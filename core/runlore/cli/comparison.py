"""A comparison of two runs as text: `runlore diff`, and the verdict of `runlore reproduce`."""

from itertools import groupby

from rich.console import Console
from rich.markup import escape

from runlore._text import line_text, number_text, visible_text
from runlore.analysis.comparison import ASIDE, Change, Comparison
from runlore.analysis.ranking import is_aside
from runlore.cli.printing import grid, terminal_width
from runlore.plugins.code import is_program

MAX_CHANGES = 20  # of a group that are shown; --full shows all
MAX_DIFF_LINES = 120  # of all unified diffs together
MAX_TEXT_LINES = 15  # of the unified diff of a file that is no program
KEY_CHARS = 30
NAME_CHARS = 16  # of a run's name above a column
FINGERPRINT_DIGITS = 12  # that are shown; `which-run` takes them


def print_comparison(found: Comparison, out: Console, *, full: bool) -> None:
    """Print the changes group by group, then the metrics and the notes."""
    heads = [f"{side}: {line_text(run.name, NAME_CHARS)}" for side, run in (("a", found.a), ("b", found.b))]
    for group, items in groupby(found.changes, key=group_of):
        changes = list(items)
        _print_code(out, [change for change in changes if change.diff is not None], full=full)
        plain = [change for change in changes if change.diff is None]
        if plain:
            _print_values(out, group, plain, heads, full=full)
        out.print()
    _print_metrics(out, found, heads, full=full)
    print_notes(found, out)


def print_notes(found: Comparison, out: Console) -> None:
    """Print what the comparison could not tell."""
    for note in found.notes:
        out.print(f"[dim]{escape(visible_text(note))}[/]", soft_wrap=True)


def group_of(change: Change) -> str:
    """Return the group that a change is printed in."""
    return ASIDE if change.aside else change.group


def _print_metrics(out: Console, found: Comparison, heads: list[str], *, full: bool) -> None:
    keys = [key for key in found.metrics if full or not is_aside(key)]
    if keys:
        table = grid(["metrics", *heads, "b - a", "part at step"], right=range(1, 5))
        for key in keys:
            x, y = found.metrics[key]
            change = number_text(y - x) if x is not None and y is not None else ""
            step = found.partings.get(key)
            cells = [number_text(x), number_text(y), change, "" if step is None else str(step)]
            table.add_row("  " + escape(line_text(key, KEY_CHARS)), *cells)
        out.print(table)
    if len(keys) < len(found.metrics):
        out.print(f"  [dim]and {len(found.metrics) - len(keys)} of time and machine (--full shows them)[/]")


def _print_values(out: Console, group: str, changes: list[Change], heads: list[str], *, full: bool) -> None:
    shown = changes if full else changes[:MAX_CHANGES]
    room = terminal_width() - max(len(line_text(change.key, KEY_CHARS)) for change in shown) - 8
    width = 10_000 if full else max(NAME_CHARS + 3, room // 2)
    table = grid([group, *heads])
    for column in table.columns[1:]:
        column.overflow, column.no_wrap = "fold", False
    for change in shown:
        values = [_text(value) for value in (change.a, change.b)]
        if values[0] == values[1]:  # 1 and "1", or floats that differ in a late digit
            values = [repr(value) for value in (change.a, change.b)]
        if not full and change.key.endswith("fingerprint"):
            values = [value[:FINGERPRINT_DIGITS] for value in values]
        cells = [escape(line_text(value, width)) for value in values]
        table.add_row("  " + escape(line_text(change.key, KEY_CHARS)), *cells)
    out.print(table)
    if not full and len(changes) > MAX_CHANGES:
        out.print(f"  [dim]… and {len(changes) - MAX_CHANGES} more (--full shows all)[/]")


def _print_code(out: Console, changes: list[Change], *, full: bool) -> None:
    lines = [line for change in changes for line in _lines(change, full)]
    for line in lines if full else lines[:MAX_DIFF_LINES]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        style = "bold" if line.startswith(("diff ", "--- ", "+++ ")) else style
        out.print("  " + escape(visible_text(line)), style=style, soft_wrap=True, overflow="ignore", crop=False)
    if not full and len(lines) > MAX_DIFF_LINES:
        out.print(f"  [dim]… and {len(lines) - MAX_DIFF_LINES} more lines (--full shows all)[/]")


def _lines(change: Change, full: bool) -> list[str]:
    """Return the lines of a file's unified diff; only the first ones where the file may be data."""
    lines = (change.diff or "").splitlines()
    if full or is_program(change.key) or len(lines) <= MAX_TEXT_LINES + 1:
        return lines
    return [*lines[:MAX_TEXT_LINES], f"… {len(lines) - MAX_TEXT_LINES} more lines of {change.key} (--full shows them)"]


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ".join(map(str, value)) if all(isinstance(item, str) for item in value) else str(value)
    return number_text(value) if isinstance(value, float) else str(value)
