"""`runlore ls`: the runs as a table."""

from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from runlore._query import Field, parse_sort
from runlore._text import ago_text, duration_text, line_text, number_text
from runlore.cli._options import STATUS_STYLES, console, json_option, print_json, store_option, terminal_width
from runlore.documents import run_document
from runlore.runs import RecordedRun, RunList
from runlore.store import Store, open_store

LIMIT = 20
CELL = 22  # columns that a value may take
NARROW = 10  # columns below which a tag is not worth cutting
NAME = 24


@click.command()
@click.argument("where", required=False, default="")
@click.option("--sort", default="", metavar="FIELD", help='Sort by a field; "-" before it descends: -metrics.acc.max')
@click.option("-n", "--limit", type=click.IntRange(min=0), help=f"How many runs [default: {LIMIT}; all with --json].")
@click.option("--all", "show_all", is_flag=True, help="All runs, children included.")
@click.option(
    "-c", "--column", "columns", multiple=True, metavar="FIELD", help="A column to show; may stand many times."
)
@json_option
@store_option
def ls(
    where: str, sort: str, limit: int | None, show_all: bool, columns: tuple[str, ...], as_json: bool, store: str | None
) -> None:
    """List runs, newest first.

    WHERE is a query in Python's syntax: 'params.lr < 0.1 and metrics.val_loss.min < 0.3'. Without one, children (such
    as the candidates of a grid search) are left out of the table.
    """
    opened = open_store(store)
    if as_json:
        print_json([run_document(run) for run in opened.runs(where, sort=sort, limit=limit)])
        return
    fields = [parse_sort(column)[0][0] for column in columns]
    runs, hidden = _chosen(opened, where, sort, limit, show_all)
    if not runs:
        click.echo(_empty(opened, where))
        return
    console().print(_table(opened, runs, fields, parse_sort(sort)[0][0] if sort else None))
    if hidden:
        click.echo(f"{hidden}  (--all shows everything)")


def _chosen(store: Store, where: str, sort: str, limit: int | None, show_all: bool) -> tuple[RunList, str]:
    """The runs of the table, and what is left out of it in words."""
    most = None if show_all and limit is None else LIMIT if limit is None else limit
    if where or show_all:
        found = store.runs(where, sort=sort, limit=None if most is None else most + 1)
        return (found, "") if most is None or len(found) <= most else (found[:most], "There are more runs.")
    found = store.runs("parent is None", sort=sort, limit=(most or 0) + 1)
    words = ["There are more runs."] if len(found) > (most or 0) else []
    shown = found[:most]
    if store.runs("parent is not None", limit=1):
        words.append("Children are not listed.")
    return shown, " ".join(words)


def _empty(store: Store, where: str) -> str:
    if where:
        return "No run fulfils this query."
    return f"No runs yet in {store.root}. Add `import runlore; runlore.autolog()` to a script and run it."


def _table(store: Store, runs: Sequence[RecordedRun], fields: list[Field], sort: Field | None) -> Table:
    ids = store.short_ids([run.id for run in runs])
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("id", no_wrap=True, style="dim")
    table.add_column("name", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("started", no_wrap=True)
    table.add_column("took", no_wrap=True, justify="right")
    fixed = [
        [
            ids[run.id],
            line_text(run.name, NAME),
            run.status,
            ago_text(run.started),
            duration_text(run.duration),
        ]
        for run in runs
    ]
    heads = ["id", "name", "status", "started", "took"]
    used = sum(max(len(heads[place]), *(len(row[place]) for row in fixed)) + 2 for place in range(len(heads)))
    extra = [(_head(field), _reader(field), True) for field in fields] or _automatic(runs, sort)
    cells: list[list[str]] = [[] for _ in runs]
    tags = {key for run in runs for key in run.tags}
    for head, reader, wanted in extra:
        values = [line_text(reader(run), CELL) for run in runs]
        width = max(len(head), *map(len, values)) + 2
        room = terminal_width() - used
        if not wanted and width > room:
            if head not in tags or room < max(len(head), NARROW) + 2:
                continue
            values = [line_text(value, room - 2) for value in values]
            width = room
        used += width
        table.add_column(escape(line_text(head, CELL)), no_wrap=True, justify="right")
        for row, value in zip(cells, values, strict=True):
            row.append(escape(value))
    for run, row, more in zip(runs, fixed, cells, strict=True):
        style = STATUS_STYLES.get(run.status, "")
        status = f"[{style}]{run.status}[/]" if style else escape(run.status)
        table.add_row(row[0], escape(row[1]), status, *row[3:], *more)
    return table


def _automatic(runs: Sequence[RecordedRun], sort: Field | None) -> list[tuple[str, Callable[[RecordedRun], str], bool]]:
    """The columns that tell these runs apart: what they are sorted by, then metrics and params that differ."""
    chosen: dict[tuple[str, str, str], Field] = {}
    if sort is not None and sort.table:
        chosen[sort.table, sort.key, sort.column] = sort
    for key in _by_frequency([list(run.tags) for run in runs]):
        values = [run.tags.get(key) for run in runs]
        if len(set(values)) > 1 and values.count(None) <= len(runs) // 2:
            chosen.setdefault(("tags", key, ""), Field("tags", key, "", 0))
    for key in sorted(_by_frequency([list(run.metrics) for run in runs]), key=is_duration):
        chosen.setdefault(("metrics", key, "last"), Field("metrics", key, "last", 0))
    for key in _by_frequency([list(run.params) for run in runs]):
        if len({repr(run.params.get(key)) for run in runs}) > 1:
            chosen.setdefault(("params", key, ""), Field("params", key, "", 0))
    return [(_head(field), _reader(field), field is sort) for field in chosen.values()]


def _by_frequency(lists: list[list[str]]) -> list[str]:
    """Keys, those of most runs first."""
    counts: dict[str, int] = {}
    for keys in lists:
        for key in keys:
            counts[key] = counts.get(key, 0) + 1
    return sorted(counts, key=lambda key: -counts[key])


def is_duration(key: str) -> bool:
    """Whether a metric tells how long something took: shown after those that tell how good it is."""
    return key.endswith(("_time", "_seconds", "_runtime"))


def _head(field: Field) -> str:
    if field.table in ("metrics", "params", "tags"):
        return field.key if field.column in ("", "last") else f"{field.key}.{field.column}"
    return field.text


def _reader(field: Field) -> Callable[[RecordedRun], str]:
    def read(run: RecordedRun) -> str:
        value: Any
        if field.table == "metrics":
            series = run.metrics.get(field.key)
            return "" if series is None else number_text(getattr(series, field.column))
        if field.table == "params":
            value = run.params.get(field.key, "")
            return number_text(value) if isinstance(value, float) else str(value)
        if field.table == "tags":
            return run.tags.get(field.key, "")
        if field.table == "env":
            section, _, key = field.key.partition(".")
            return str(run.environment.get(section, {}).get(key, ""))
        value = {"id": run.id, "parent": run.parent_id}.get(field.column, getattr(run, field.column, ""))
        return duration_text(value) if field.column == "duration" else "" if value is None else str(value)

    return read
