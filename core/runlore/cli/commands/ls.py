"""`runlore ls`: the runs as a table."""

import warnings
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Literal

import click
from rich.markup import escape
from rich.table import Table

from runlore._text import ago_text, duration_text, line_text, number_text
from runlore.analysis.columns import telling_columns
from runlore.analysis.scope import independent, with_children
from runlore.cli.options import children_option, json_option, store_option
from runlore.cli.printing import STATUS_STYLES, console, print_json, terminal_width
from runlore.documents import run_document
from runlore.errors import QueryError, RunloreWarning, StoreNotFound
from runlore.index.fields import BARE, Field
from runlore.index.parse import parse_field, parse_sort
from runlore.index.select import list_damaged
from runlore.store.runs import RecordedRun, RunList
from runlore.store.store import Store, open_store

DEFAULT_LIMIT = 20  # runs
UNKNOWN = "(damaged or arriving)"  # in place of a name that can't be read
NAME_CHARS = 24  # of a run, and of the head of a column
VALUE_CHARS = 22
TAG_CHARS = 14  # of a tag that nobody asked for
MIN_TAG_CHARS = 10  # to which a tag is cut so that its column fits


@click.command()
@click.argument("where", required=False, default="")
@click.option("--sort", default="", metavar="FIELD", help='Sort by a field; "-" before it descends: -metrics.acc.max')
@click.option(
    "-n", "--limit", type=click.IntRange(min=0), help=f"Number of runs [default: {DEFAULT_LIMIT}; all with --json]."
)
@children_option
@click.option("-c", "--column", "columns", multiple=True, metavar="FIELD", help="A column to show; may be repeated.")
@click.option("--group-by", "by", multiple=True, metavar="FIELD", help="A line for each value: params.model.")
@json_option
@store_option
def ls(
    where: str, sort: str, limit: int | None, show_all: bool, columns: tuple[str, ...], by: tuple[str, ...],
    as_json: bool, store: str | None,
) -> None:  # fmt: skip
    """List runs, newest first.

    WHERE is a query in Python's syntax: 'params.lr < 0.1 and metrics.val_loss.min < 0.3'. Children (such as the
    candidates of a grid search) are listed with --all, or by a query that names `parent`.
    """
    opened = open_store(store)
    if by:
        opened.check_query(where)
        fields = [parse_field(column, "metrics") for column in columns]
        from runlore.cli.groups import print_groups  # only here, as it takes long to import

        print_groups(opened, independent(where, show_all), by, fields, as_json)
        return
    if as_json:
        print_json([run_document(run) for run in opened.runs(where, sort=sort, limit=limit)])
        return
    if store is not None and not opened.exists:
        raise StoreNotFound(f"no store at {str(opened.root)!r}")
    fields = [_column(opened, column) for column in columns]
    most = DEFAULT_LIMIT if limit is None and not show_all else limit
    condition = with_children(where, show_all)
    opened.check_query(where)  # so that errors show the query as it was typed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunloreWarning)  # hints are printed below, for the query as it was typed
        runs = opened.runs(condition, sort=sort, limit=None if most is None else most + 1)
    if not runs:
        click.echo(_empty(opened, where, condition == where))
        return
    asked = [field for field, _ in parse_sort(sort)] if sort else []
    table, width = _table(opened, runs[:most], fields, asked + opened.check_query(where))
    console(width).print(table)
    for hint in opened.runs(sort=sort, limit=0).hints:
        click.echo(f"runlore: {hint}", err=True)
    damaged = opened.ask(list_damaged)
    if damaged:
        count = "1 run has" if len(damaged) == 1 else f"{len(damaged)} runs have"
        click.echo(f"{count} files that are damaged or still arriving: runlore doctor names them.", err=True)
    if most is not None and len(runs) > most:
        click.echo(f"More runs than {most} are there: -n N shows N of them.", err=True)
    if condition != where and opened.runs("parent is not None", limit=1):
        click.echo("Children are not listed: --all shows them.", err=True)


def _column(store: Store, text: str) -> Field:
    """Return the field that a column names; a bare name stands for the first field of that name that some run has."""
    try:
        return parse_field(text)
    except QueryError:
        for table in BARE:
            field = parse_field(text, table)
            if store.has_key(field):
                return field
        raise


def _empty(store: Store, where: str, whole: bool) -> str:
    """Say why no run is listed; `whole` means that children were looked for, too."""
    if where and not whole and store.runs(where, limit=1):
        return "No run fulfils this query, but children do: --all lists them."
    if where:
        return "No run fulfils this query."
    return f"No runs yet in {store.root}. Add `import runlore; runlore.autolog()` to a script and run it."


def _table(store: Store, runs: RunList, fields: list[Field], asked: list[Field]) -> tuple[Table, int]:
    """Make the table; return it with its width in characters.

    Columns are `fields`; without them those of `asked`, and of the ones that tell the runs apart as many as fit.
    """
    ids = store.short_ids([run.id for run in runs])
    fixed = {
        "id": [ids[run.id] for run in runs],
        "name": [line_text(run.name or UNKNOWN, NAME_CHARS) for run in runs],
        "status": [run.status for run in runs],
    }
    if not fields:
        fixed["started"] = [ago_text(run.started) for run in runs]
        fixed["took"] = [_took(run) for run in runs]
    used = sum(max(map(len, (head, *values))) + 2 for head, values in fixed.items())
    room = terminal_width() - used + 2  # the last column needs no space behind it
    wanted = [field for field in asked if field.table]
    columns = _fitting(runs, fields or telling_columns(runs, wanted), room, always=None if fields else len(wanted))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in fixed:
        table.add_column(head, no_wrap=True, style="dim" if head == "id" else "", justify=_side(head == "took"))
    for head, values in columns:
        used += max(map(len, (head, *values))) + 2
        table.add_column(escape(head), no_wrap=True, justify=_side(all(map(_is_number, values))))
    styles = [STATUS_STYLES.get(run.status, "default") for run in runs]
    fixed["status"] = [f"[{style}]{escape(status)}[/]" for style, status in zip(styles, fixed["status"], strict=True)]
    fixed["name"] = [escape(name) for name in fixed["name"]]
    rows = [*fixed.values(), *([escape(value) for value in values] for _, values in columns)]
    for row in zip(*rows, strict=True):
        table.add_row(*row)
    return table, used


def _fitting(runs: RunList, fields: list[Field], room: int, always: int | None = None) -> list[tuple[str, list[str]]]:
    """Return heads and values of the columns that fit into `room`; the first `always` (None: all) need not fit."""
    heads = [_head(field) for field in fields]
    count = Counter(heads)
    found = []
    for place, field in enumerate(fields):
        head = line_text(field.text if count[heads[place]] > 1 else heads[place], NAME_CHARS)
        if always is not None and place >= always and len(head) + 2 > room:
            continue  # before the values of thousands of keys are made into text
        most = TAG_CHARS if field.table == "tags" and always is not None else VALUE_CHARS
        values = [line_text(_value_text(run, field), most) for run in runs]
        width = max(map(len, (head, *values))) + 2
        if field.table == "tags" and width > room > max(len(head), MIN_TAG_CHARS) + 2:
            values = [line_text(value, room - 2) for value in values]
            width = room
        if always is None or place < always or width <= room:
            room -= width
            found.append((head, values))
    return found


def _took(run: RecordedRun) -> str:
    seconds = run.duration if run.duration is not None else (datetime.now(UTC) - run.started).total_seconds()
    return duration_text(seconds)


def _is_number(text: str) -> bool:
    return not text or text[0] in "0123456789-–" or text in ("nan", "inf", "None")


def _side(right: bool) -> Literal["right", "left"]:
    return "right" if right else "left"


def _head(field: Field) -> str:
    if field.table in ("metrics", "params", "summary", "tags"):
        return field.key if field.column in ("", "last") else f"{field.key}.{field.column}"
    return field.text


def _value_text(run: RecordedRun, field: Field) -> str:
    """Return the value of a field as text; empty where the run lacks it."""
    value: Any
    if field.table == "metrics":
        series = run.metrics.get(field.key)
        return "" if series is None else number_text(getattr(series, field.column))
    if field.table in ("params", "summary"):
        value = getattr(run, field.table).get(field.key, "")
        return number_text(value) if isinstance(value, float) else str(value)
    if field.table == "tags":
        return run.tags.get(field.key, "")
    if field.table == "data":
        name, _, fact = field.key.rpartition(".")
        return str(run.data.get(name, {}).get(fact, ""))
    if field.table == "env":
        section, _, key = field.key.partition(".")
        return str(run.environment.get(section, {}).get(key, ""))
    value = {"id": run.id, "parent": run.parent_id}.get(field.column, getattr(run, field.column, ""))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return duration_text(value) if field.column == "duration" else "" if value is None else str(value)
