"""`runlore ls`: the runs as a table."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import click
from rich.markup import escape
from rich.table import Table

from runlore._text import ago_text, duration_text, line_text, number_text, status_text, width_of
from runlore._warnings import without_warnings
from runlore.analysis.columns import telling_columns
from runlore.analysis.scope import ARCHIVED, CHILDREN, field_named, fields_named, listed
from runlore.analysis.tables import each_run
from runlore.cli.options import also_options, json_option, store_option
from runlore.cli.printing import STATUS_STYLES, console, echo, print_json, tell_unknown_keys, terminal_width
from runlore.documents import run_document
from runlore.errors import StoreNotFound
from runlore.index.fields import Field
from runlore.index.parse import parse_field, parse_sort
from runlore.index.select import list_damaged, list_unreadable
from runlore.log.record import UNREADABLE
from runlore.store.runs import RecordedRun, RunList
from runlore.store.store import Store, open_store

DEFAULT_LIMIT = 20  # runs
HIDDEN = {CHILDREN: ("Children", "--all"), ARCHIVED: ("Archived runs", "--archived")}  # and what asks for them
UNKNOWN = "(damaged or arriving)"  # in place of a name that can't be read
CLOSED = "(not readable)"  # likewise, where the file can't be opened
NAME_CHARS = 24  # of a run, and of the head of a column
VALUE_CHARS = 22
TAG_CHARS = 14  # of a tag that nobody asked for, if other columns need the room
MIN_TAG_CHARS = 10  # to which a tag is cut so that its column fits


@click.command()
@click.argument("where", required=False, default="")
@click.option("--sort", default="", metavar="FIELD", help='Sort by a field; "-" before it descends: -metrics.acc.max')
@click.option(
    "-n", "--limit", type=click.IntRange(min=0), help=f"Number of runs [default: {DEFAULT_LIMIT}; all with --json]."
)
@also_options
@click.option("-c", "--column", "columns", multiple=True, metavar="FIELD", help="A column to show; may be repeated.")
@click.option("--group-by", "by", multiple=True, metavar="FIELD", help="A line for each value: params.model.")
@json_option
@store_option
def ls(
    where: str, sort: str, limit: int | None, also: frozenset[str], columns: tuple[str, ...], by: tuple[str, ...],
    as_json: bool, store: str | None,
) -> None:  # fmt: skip
    """List runs, newest first.

    WHERE is a query in Python's syntax: 'params.lr < 0.1 and metrics.val_loss.min < 0.3'. Children (such as the
    candidates of a grid search) are listed with --all, archived runs with --archived, or either by a query that names
    `parent` or `archived`.
    """
    opened = open_store(store)
    if by:
        fields = [parse_field(column, "metrics") for column in columns]
        from runlore.cli.groups import GroupRequest, print_groups  # only here, as it takes long to import

        request = GroupRequest(by, fields, parse_sort(sort) if sort else [], limit)
        print_groups(opened, where, also, request, as_json)
        return
    if as_json:
        print_json(run_document(run) for run in each_run(opened, where, sort=sort, limit=limit))
        return
    if store is not None and not opened.exists:
        raise StoreNotFound(f"no store at {str(opened.root)!r}")
    fields = [field_named(opened, column) for column in columns]
    most = DEFAULT_LIMIT if limit is None and CHILDREN.word not in also else limit
    condition = listed(where, also)
    with without_warnings():  # hints are printed below, for the query as it was typed
        runs = opened.runs(condition, sort=sort, limit=None if most is None else most + 1)
        why_empty = _empty(opened, where, also) if not runs else ""
    if why_empty:
        tell_unknown_keys(opened, where, sort)
        echo(why_empty)
        _tell_unread(opened)
        return
    asked = [field for field, _ in parse_sort(sort)] if sort else []
    table, width = _table(opened, runs[:most], fields, asked + fields_named(where))
    console(width).print(table)
    tell_unknown_keys(opened, sort=sort)
    _tell_unread(opened)
    if most is not None and len(runs) > most:
        echo(f"More runs than {most} are there: -n N shows N of them.", err=True)
    for what, option in _left_out(opened, "", where, also):
        echo(f"{what} are not listed: {option} shows them.", err=True)


def _tell_unread(store: Store) -> None:
    """Say how many runs can't be read, as a whole or at all."""
    damaged, unreadable = store.ask(list_damaged), store.ask(list_unreadable)
    if damaged:
        count = "1 run has" if len(damaged) == 1 else f"{len(damaged)} runs have"
        echo(f"{count} files that are damaged or still arriving: runlore doctor names them.", err=True)
    closed = store.index.closed if store.exists else []
    if unreadable or closed:
        found = [(len(unreadable), "run", "runs"), (len(closed), "folder of runs", "folders of runs")]
        text = " and ".join(f"{count} {one if count == 1 else many}" for count, one, many in found if count)
        echo(f"This user can't read {text}: runlore doctor names them.", err=True)


def _left_out(store: Store, among: str, where: str, also: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what is left out of the list although it is among the runs of a query, and the option that asks for it."""
    begin = f"({among}) and " if among else ""
    for kind, told in HIDDEN.items():
        if kind.is_left_out(where, also) and store.runs(f"{begin}not ({kind.others})", limit=1):
            yield told


def _empty(store: Store, where: str, also: frozenset[str]) -> str:
    """Say why no run is listed."""
    for what, option in _left_out(store, where, where, also) if where else ():
        return f"No run fulfils this query, but {what.lower()} do: {option} lists them."
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
        "name": [line_text(run.name or (CLOSED if run.status == UNREADABLE else UNKNOWN), NAME_CHARS) for run in runs],
        "status": [status_text(run.status, run.ended) for run in runs],
    }
    if not fields:
        fixed["started"] = [ago_text(run.started) for run in runs]
        fixed["took"] = [_took(run) for run in runs]
    used = sum(max(map(width_of, (head, *values))) + 2 for head, values in fixed.items())
    room = terminal_width() - used + 2  # the last column needs no space behind it
    wanted = [field for field in asked if field.table]
    columns = _fitting(runs, fields or telling_columns(runs, wanted), room, always=None if fields else len(wanted))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in fixed:
        table.add_column(head, no_wrap=True, style="dim" if head == "id" else "", justify=_side(head == "took"))
    for head, values in columns:
        used += max(map(width_of, (head, *values))) + 2
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
    heads = [_head(field, runs) for field in fields]
    count = Counter(heads)
    found: list[_Column] = []
    for place, field in enumerate(fields):
        head = line_text(field.text if count[heads[place]] > 1 else heads[place], NAME_CHARS)
        if always is not None and place >= always and width_of(head) + 2 > room:
            continue  # before the values of thousands of keys are made into text
        most = TAG_CHARS if field.table == "tags" and always is not None else VALUE_CHARS
        whole = [_value_text(run, field) for run in runs]
        values = [line_text(value, most) for value in whole]
        width = max(map(width_of, (head, *values))) + 2
        if field.table == "tags" and width > room > max(width_of(head), MIN_TAG_CHARS) + 2:
            values = [line_text(value, room - 2) for value in values]
            width = room
        if always is None or place < always or width <= room:
            room -= width
            found.append(_Column(head, values, whole))
    for column in found:  # what is left goes to texts that were cut, those on the left first
        room -= column.widen(room)
    return [(column.head, column.values) for column in found]


@dataclass(slots=True)
class _Column:
    """A column of the table: its values as they are shown, and `whole`."""

    head: str
    values: list[str]
    whole: list[str]

    def widen(self, room: int) -> int:
        """Show more of the values that were cut; return how many columns of the terminal that takes, at most `room`."""
        if room <= 0 or not any(value.endswith("…") for value in self.values):
            return 0
        width = max(map(width_of, (self.head, *self.values)))
        self.values = [line_text(value, width + room) for value in self.whole]
        return max(map(width_of, (self.head, *self.values))) - width


def _took(run: RecordedRun) -> str:
    if run.duration is not None:
        return duration_text(run.duration)
    return duration_text((datetime.now(UTC) - run.started).total_seconds()) if run.status == "running" else ""


def _is_number(text: str) -> bool:
    return not text or text[0] in "0123456789-–" or text in ("nan", "inf", "None")


def _side(right: bool) -> Literal["right", "left"]:
    return "right" if right else "left"


def _head(field: Field, runs: RunList) -> str:
    """Return the head of a column: the bare name, unless it would stand for a param of one of the runs."""
    if field.table in ("metrics", "params", "summary", "tags"):
        if field.table == "tags" and any(field.key in run.params for run in runs):
            return field.text
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
    if field.column == "notes":
        return "; ".join(note.text for note in run.notes)
    value = {"id": run.id, "parent": run.parent_id}.get(field.column, getattr(run, field.column, ""))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    return duration_text(value) if field.column == "duration" else "" if value is None else str(value)
