"""The table of `runlore ls --group-by`: a line for each group of runs."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click
from rich.markup import escape

from runlore._text import line_text, number_text
from runlore._warnings import without_warnings
from runlore.analysis.ranking import is_aside
from runlore.analysis.scope import field_named, independent, left_out_text, well_ended
from runlore.analysis.statistics import Group, Statistics, group_runs, key_text
from runlore.cli.printing import echo, grid, print_json, print_whole, tell_unknown_keys
from runlore.documents import statistics_document
from runlore.index.fields import Field
from runlore.store.store import Store

KEY_CHARS = 24  # of a value that makes a group
HEAD_CHARS = 30  # of a metric's name above a column
MAX_SUGGESTED = 2  # metrics that are shown where none is named
MAX_LOOKED_AT = 200  # of the newest runs, whose metrics are counted to suggest some

Key = tuple[Any, ...]  # of a group: the values that make it


@dataclass(frozen=True, slots=True)
class GroupRequest:
    """The fields whose values make groups, metrics as columns, the order of the groups, and how many to show."""

    by: tuple[str, ...]
    columns: list[Field]
    order: list[tuple[Field, bool]]
    limit: int | None


def print_groups(store: Store, where: str, also: Collection[str], asked: GroupRequest, as_json: bool) -> None:
    """Print mean and best value of some metrics by group: those of the columns, else the ones that most runs have.

    Runs that have not finished are left out, and named, unless the query or `by` names their status.
    """
    by = asked.by
    chosen, left_out = well_ended(store, where, independent(where, also), by)
    for field in asked.columns:
        if field.table != "metrics":
            raise click.UsageError(f"{field.text} is no metric: the columns of groups are metrics")
    with without_warnings():  # hints are printed below, for the query as it was typed
        metrics = [field.text for field in asked.columns] or _frequent(store, chosen)
    found = [group_runs(store, chosen, metric, by) for metric in metrics or ["duration"]]
    keys = [group.key for group in found[0].groups]
    for field, descends in reversed(asked.order):
        _sort(keys, _values(store, chosen, found, by, field), descends=descends)
    found = [replace(item, groups=_in_order(item, keys[: asked.limit])) for item in found]
    if as_json:
        print_json([statistics_document(item, by, (), left_out) for item in found])
        return
    if left_out:
        echo(left_out_text(left_out), err=True)
    if not keys:
        tell_unknown_keys(store, where)
        echo("No run fulfils this query.")
        return
    table = grid([*by, "runs", *(line_text(item.metric.removeprefix("metrics."), HEAD_CHARS) for item in found)])
    texts = key_texts(store, by, [group.key for group in found[0].groups])
    for groups in zip(*(item.groups for item in found), strict=True):
        cells = texts[groups[0].key]
        cells = ["  " * (place == 0) + escape(line_text(cell, KEY_CHARS)) for place, cell in enumerate(cells)]
        runs = len(groups[0].runs) + groups[0].lacking
        table.add_row(*cells, str(runs), *(_cell(group) for group in groups))
    print_whole(table)
    echo("mean ± 95 % interval (best)")


def key_texts(store: Store, by: Sequence[str], keys: Sequence[Key]) -> dict[Key, list[str]]:
    """Return the values that make each group as people write them; a parent by its name, with its id if others have it.

    One that was removed has its id only.
    """
    texts = {key: [key_text(value) for value in key] for key in keys}
    for place, text in enumerate(by):
        if field_named(store, text, "params").column != "parent":
            continue
        ids = sorted({str(key[place]) for key in keys if key[place] is not None})
        short = store.short_ids(ids)
        names = {run.id: run.name for parent in ids for run in store.runs(f"id == {parent!r}", limit=1)}
        count = Counter(names.values())
        for key in keys:
            name = names.get(str(key[place]))
            if name:
                texts[key][place] = name if count[name] == 1 else f"{name} ({short[str(key[place])]})"
    return texts


def _in_order(found: Statistics, keys: list[Key]) -> tuple[Group, ...]:
    groups = {group.key: group for group in found.groups}
    return tuple(groups[key] for key in keys)


def _values(store: Store, where: str, found: list[Statistics], by: tuple[str, ...], field: Field) -> dict[Key, Any]:
    """Return what groups are sorted by: the value of a field that makes them, or the mean of a metric.

    Raises:
        UsageError: it is neither.
    """
    fields = [field_named(store, text, "params") for text in by]
    for place, item in enumerate(fields):
        if (item.table, item.key, item.column) == (field.table, field.key, field.column):
            return {group.key: group.key[place] for group in found[0].groups}
    if field.table != "metrics" and field.text != "duration":
        ways = " or ".join([*(item.text for item in fields), "a metric, by its mean"])
        raise click.UsageError(f"groups have no {field.text} to be sorted by: sort by {ways}")
    measured = next((item for item in found if item.metric == field.text), None)
    measured = measured or group_runs(store, where, field.text, by)
    return {group.key: group.mean for group in measured.groups}


def _sort(keys: list[Key], values: dict[Key, Any], *, descends: bool) -> None:
    """Sort in place; what has no value comes last either way."""

    def rank(key: Key) -> tuple[bool, Any]:
        value = values[key]
        return isinstance(value, str), 0 if value is None else value

    keys.sort(key=rank, reverse=descends)
    keys.sort(key=lambda key: values[key] is None)


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
