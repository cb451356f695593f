"""A comparison of two runs as text: `runlore diff`, and the verdict of `runlore reproduce`."""

from itertools import groupby

from rich.console import Console
from rich.markup import escape

from runlore._text import line_text, number_text, one_line, width_of
from runlore.analysis.comparison import ASIDE, Change, Comparison
from runlore.analysis.ranking import is_aside
from runlore.cli.printing import grid, terminal_width
from runlore.plugins.code import is_program

MAX_CHANGES = 20  # of a group that are shown; --full shows all
MAX_DIFF_LINES = 120  # of all unified diffs together
MAX_TEXT_LINES = 15  # of the unified diff of a file that is no program
KEY_CHARS = 30
NAME_CHARS = 16  # of a run's name above a column
HASH = "sha256:"  # before the hash of an array in the text of a param
FINGERPRINT_DIGITS = 12  # that are shown; `which-run` takes them


def print_comparison(found: Comparison, out: Console, *, full: bool) -> None:
    """Print the changes group by group, then the metrics and the notes."""
    heads = [f"{side}: {line_text(run.name, NAME_CHARS)}" for side, run in (("a", found.a), ("b", found.b))]
    for group, items in groupby(found.changes, key=group_of):
        changes = list(items)
        _print_code(out, [change for change in changes if is_file(change)], full=full)
        plain = [change for change in changes if not is_file(change)]
        if plain:
            _print_values(out, group, plain, heads, full=full)
        out.print()
    _print_metrics(out, found, heads, full=full)
    print_notes(found, out)


def print_notes(found: Comparison, out: Console) -> None:
    """Print what the comparison could not tell."""
    for note in found.notes:
        out.print(f"[dim]{escape(one_line(note))}[/]", soft_wrap=True)


def group_of(change: Change) -> str:
    """Return the group that a change is printed in."""
    return ASIDE if change.aside else change.group


def is_file(change: Change) -> bool:
    """Return True for a source or data file, which is shown by its lines."""
    return change.diff is not None or (change.group == "code" and change.rows is not None)


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
    room = terminal_width() - max(width_of(line_text(change.key, KEY_CHARS)) for change in shown) - 8
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
        cells = [escape(text) for text in _told_apart(*values, width=width)]
        table.add_row("  " + escape(line_text(change.key, KEY_CHARS)), *cells)
    out.print(table)
    for change in shown:
        if change.rows is not None:
            out.print("  " + escape(line_text(f"{change.key}: {change.rows.text}", terminal_width() - 2)))
    if not full and len(changes) > MAX_CHANGES:
        out.print(f"  [dim]… and {len(changes) - MAX_CHANGES} more (--full shows all)[/]")


def _told_apart(a: str, b: str, *, width: int) -> tuple[str, str]:
    """Return two values in one line each; where they are cut and look the same, from shortly before they differ."""
    texts = line_text(a, width), line_text(b, width)
    if a == b or texts[0] != texts[1]:
        return texts
    start = next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    known = a.rfind(HASH, 0, start + 1)  # of an array, whose text is the same
    start = max(known if known >= 0 else start - width // 4, 0)
    return line_text(f"…{a[start:]}", width), line_text(f"…{b[start:]}", width)


def _print_code(out: Console, changes: list[Change], *, full: bool) -> None:
    lines = [line for change in changes for line in _lines(change, full)]
    heads = {head for change in changes for head in _head(change)}
    for line in lines if full else [*lines[:MAX_DIFF_LINES], *filter(heads.__contains__, lines[MAX_DIFF_LINES:])]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        style = "bold" if line.startswith(("diff ", "--- ", "+++ ")) else style
        out.print("  " + escape(one_line(line)), style=style, soft_wrap=True, overflow="ignore", crop=False)
    if not full and len(lines) > MAX_DIFF_LINES:
        out.print(f"  [dim]… and {len(lines) - MAX_DIFF_LINES} more lines (--full shows all)[/]")


def _head(change: Change) -> list[str]:
    """Return the line above those of a data file, which sums up what became of its rows."""
    return [] if change.rows is None else [f"{change.key}: {change.rows.text}"]


def _lines(change: Change, full: bool) -> list[str]:
    """Return the lines of a file's unified diff; only the first ones, below what became of rows, where it is data."""
    lines = (change.diff or "").splitlines()
    if full or is_program(change.key) or len(lines) <= MAX_TEXT_LINES + 1:
        return [*_head(change), *lines]
    more = f"… {len(lines) - MAX_TEXT_LINES} more lines of {change.key} (--full shows them)"
    return [*_head(change), *lines[:MAX_TEXT_LINES], more]


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " ".join(map(str, value)) if all(isinstance(item, str) for item in value) else str(value)
    return number_text(value) if isinstance(value, float) else str(value)
