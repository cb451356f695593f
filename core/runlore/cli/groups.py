"""The table of `runlore ls --group-by`: a line for each group of runs."""

from typing import Any

import click
from rich.markup import escape

from runlore._text import line_text, number_text
from runlore.analysis.ranking import is_aside
from runlore.analysis.statistics import Group, group_runs, key_text
from runlore.cli.printing import grid, print_json, print_whole
from runlore.documents import statistics_document
from runlore.index.fields import Field
from runlore.store.store import Store

KEY_CHARS = 24  # of a value that makes a group
HEAD_CHARS = 30  # of a metric's name above a column
MAX_SUGGESTED = 2  # metrics that are shown where none is named
MAX_LOOKED_AT = 200  # of the newest runs, whose metrics are counted to suggest some


def print_groups(store: Store, where: str, by: tuple[str, ...], fields: list[Field], as_json: bool) -> None:
    """Print mean and best value of some metrics by group: those of `fields`, else the ones that most runs have."""
    for field in fields:
        if field.table != "metrics":
            raise click.UsageError(f"{field.text} is no metric: the columns of groups are metrics")
    metrics = [field.text for field in fields] or _frequent(store, where)
    found = [group_runs(store, where, metric, by) for metric in metrics] or [group_runs(store, where, "duration", by)]
    if as_json:
        print_json([statistics_document(item, by, ()) for item in found])
        return
    if not found[0].groups:
        click.echo("No run fulfils this query.")
        return
    keys = [group.key for group in found[0].groups]
    table = grid([*by, "runs", *(line_text(item.metric.removeprefix("metrics."), HEAD_CHARS) for item in found)])
    for key in keys:
        groups = [next(group for group in item.groups if group.key == key) for item in found]
        cells = ["  " * (place == 0) + escape(line_text(key_text(value), KEY_CHARS)) for place, value in enumerate(key)]
        runs = len(groups[0].runs) + groups[0].lacking
        table.add_row(*cells, str(runs), *(_cell(group) for group in groups))
    print_whole(table)
    click.echo("mean ± 95 % interval (best)")


def _cell(group: Group) -> str:
    if group.mean is None or group.best is None:
        return "–"
    half = "" if group.interval is None else f" ± {number_text((group.interval[1] - group.interval[0]) / 2)}"
    return f"{number_text(group.mean)}{half} ({number_text(group.best.value)})"


def _frequent(store: Store, where: str) -> list[str]:
    """Return the metrics that most runs have, without those of time and machine, validation and test first."""
    counts: dict[str, int] = {}
    for run in store.runs(where, limit=MAX_LOOKED_AT):
        for key in run.metrics:
            if not is_aside(key):
                counts[key] = counts.get(key, 0) + 1
    ranked: list[Any] = sorted(counts, key=lambda key: ("val" not in key and "test" not in key, -counts[key], key))
    return [Field("metrics", key, "last", 0).text for key in ranked[:MAX_SUGGESTED]]
