"""Output of commands: lines, JSON documents, and tables on a console of the right width. Nothing else prints."""

import codecs
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from runlore._text import hides_nothing, is_hidden, one_line, visible_text
from runlore._warnings import without_warnings

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from runlore.store.store import Store

PIPE_COLUMNS = 80  # of a table that is not printed on a terminal
STATUS_STYLES = {
    "finished": "green",
    "running": "blue",
    "failed": "red",
    "crashed": "red",
    "interrupted": "yellow",
    "silent": "yellow",
    "unreadable": "dim",
    "damaged": "red",
}


PLAIN = str.maketrans("–·…→×✓✗★▁▂▃▄▅▆▇█", "-.~>x+x*__--==##")  # each as wide as what it stands for
ESCAPED = "runlore.escaped"  # how a character is printed that the output's encoding lacks


def echo(*lines: str, err: bool = False) -> None:
    """Print each text on a line of its own, its hidden characters and line breaks as escapes."""
    for line in lines:
        click.echo(one_line(line), err=err)


def message_text(text: str) -> str:
    """Write the message of an error or a warning: its own lines are indented, and what it quotes adds none."""
    return "\n  ".join(map(one_line, text.split("\n  ")))


def print_message(text: str) -> None:
    """Print a message on stderr."""
    click.echo(message_text(text), err=True)


def tell_unknown_keys(store: "Store", where: str = "", sort: str = "") -> None:
    """Print a hint for each key that no run has, in a query or an order as it was typed."""
    with without_warnings():
        hints = store.runs(where, sort=sort, limit=0).hints
    for hint in hints:
        print_message(f"runlore: {hint}")


def print_json(document: Any) -> None:
    """Print one JSON document on stdout, a list or what an iterator yields item by item.

    Hidden characters are escaped, and all where stdout takes less.
    """
    encode = json.JSONEncoder(ensure_ascii=not _takes_everything(sys.stdout), allow_nan=False).encode
    if not isinstance(document, list | Iterator):
        sys.stdout.write(_without_hidden(encode(document)) + "\n")
        return
    sys.stdout.write("[")
    for place, item in enumerate(document):
        sys.stdout.write((", " if place else "") + _without_hidden(encode(item)))
    sys.stdout.write("]\n")


def _without_hidden(text: str) -> str:
    """Return a JSON text with an escape for each hidden character, which can only stand in its texts."""
    if (text.isascii() and "\x7f" not in text) or hides_nothing(text):  # the first is told at once
        return text
    return "".join(json.dumps(char)[1:-1] if char > "~" and is_hidden(char) else char for char in text)


def print_traceback(kind: type[BaseException], error: BaseException, trace: "TracebackType | None") -> None:
    """Print the traceback of an error that nobody expected, its hidden characters as escapes."""
    import traceback

    click.echo(visible_text("".join(traceback.format_exception(kind, error, trace))), err=True, nl=False)


def print_everywhere() -> None:
    """Let stdout take any text: what its encoding lacks (ASCII, Latin-1) becomes a plain character or an escape."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and (out.errors == "strict" or not _takes_everything(out)):
        codecs.register_error(ESCAPED, _escaped)
        out.reconfigure(errors=ESCAPED)


def mute_output() -> None:
    """Let what is still to be printed go nowhere."""
    with suppress(OSError, ValueError, AttributeError):
        place = os.open(os.devnull, os.O_WRONLY)
        os.dup2(place, sys.stdout.fileno())
        os.close(place)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(PLAIN)
    return lacking.encode("ascii", "backslashreplace").decode(), error.end


def _takes_everything(out: Any) -> bool:
    return str(getattr(out, "encoding", None) or "utf-8").lower().startswith("utf")


def console(width: int = 0) -> "Console":
    """Return a console as wide as the terminal, but at least of `width` columns; it has colours on a terminal only."""
    from rich.console import Console

    class Pipe(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # which ends the command well, unlike rich

        def render_str(self, text: str, **options: Any) -> "Text":
            return super().render_str(visible_text(text), **options)  # every text and cell comes by here

    return Pipe(
        width=max(width, terminal_width()), highlight=False, soft_wrap=False, no_color=not sys.stdout.isatty() or None
    )


def print_whole(table: "Table") -> None:
    """Print a table in full width, where the terminal is narrower, too: numbers must not be cut."""
    out = console()
    console(out.measure(table, options=out.options.update(width=10_000)).maximum).print(table)


class Progress:
    """Tells on a terminal how far the runs of a store are read, if that takes more than a second."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._told = False

    def __call__(self, runs: int, share: float) -> None:
        """Take how many runs were read, and which share of the store's days."""
        if share < 1 and time.monotonic() - self._begun > 1:
            self._told = True
            sys.stderr.write(f"\rrunlore: reading the store: {runs:,} runs, {share:.0%} of its days ")
        elif share == 1 and self._told:
            sys.stderr.write("\r\x1b[K")
            self._told = False
        sys.stderr.flush()


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
