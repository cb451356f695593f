"""`runlore diff`: why two runs differ."""

import os
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from runlore._text import line_text
from runlore.analysis.comparison import Comparison, WorkingTree, compare
from runlore.cli.comparison import group_of, is_file, print_comparison, print_notes
from runlore.cli.options import RunPart, json_option, store_option
from runlore.cli.printing import console, echo, grid, print_json
from runlore.documents import comparison_document
from runlore.models.names import NEWEST, PREFIX, Address
from runlore.store.runs import RecordedRun
from runlore.store.store import Store, open_store
from runlore.store.versions import ModelVersion

HASH_DIGITS = 12  # of a file that are printed
PATH_CHARS = 60  # of a file with --stat


@click.command()
@click.argument("a", metavar="A", type=RunPart())
@click.argument("b", metavar="B", type=RunPart())
@click.option("--full", is_flag=True, help="Every change and metric, every line of code, values uncut.")
@click.option("--stat", is_flag=True, help="Only count the changes of each group, and the lines of each file.")
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
        limit = " in what could be compared" if found.notes else ""
        echo(_of_one_run(place, a, b) or f"{found.a.name} and {found.b.name} do not differ{limit}")
        print_notes(found, console())
    elif stat:
        _print_stat(found, console())
    else:
        print_comparison(found, console(), full=full)


def _side(place: Store, text: str) -> RecordedRun | WorkingTree:
    """Return the run or the folder that an argument names."""
    if text in (os.curdir, os.pardir) or (os.sep in text and not text.startswith(PREFIX)):
        folder = Path(text).resolve()
        if not folder.is_dir():
            raise click.UsageError(f"{text!r} is no folder: name a run or an existing folder")
        return WorkingTree(folder)
    return place.run(text)


def _of_one_run(place: Store, a: str, b: str) -> str | None:
    """Return how two versions of models differ that come from one run; None for anything else."""
    addresses = [Address.parse(text) for text in (a, b)]
    versions = [place.model(address.model)[address.part or NEWEST] for address in addresses if address is not None]
    if len({version.id for version in versions}) < 2 or len({version.run_id for version in versions}) > 1:
        return None
    told = "; ".join(map(_content_text, versions))
    if versions[0].sha256 is not None and versions[0].sha256 == versions[1].sha256:
        return f"both are of one run, and have the same content: {told}"
    return f"both are of one run, so only the files differ: {told}"


def _content_text(version: ModelVersion) -> str:
    """Return which file a version is."""
    step = "" if version.step is None else f" at step {version.step:,}"
    sha256 = "" if version.sha256 is None else f", sha256 {version.sha256[:HASH_DIGITS]}"
    return f"{version.title} is {version.artifact_name}{step}{sha256}"


def _print_stat(found: Comparison, out: Console) -> None:
    table = grid(["", "differ", "", ""], right=(1, 2, 3))
    for group, items in groupby(found.changes, key=group_of):
        changes = list(items)
        table.add_row(f"  {group}", str(len(changes)), "", "")
        for change in changes:
            if is_file(change):
                lines = (change.diff or "").splitlines()
                counts = [sum(line[:1] == sign and line[:3] != sign * 3 for line in lines) for sign in "+-"]
                added, removed = (f"{sign}{count}" for sign, count in zip("+-", counts, strict=True))
                path = "    " + escape(line_text(change.key, PATH_CHARS))
                table.add_row(path, "", f"[green]{added}[/]", f"[red]{removed}[/]")
                if change.rows is not None:
                    table.add_row(f"      {change.rows.text}", "", "", "")
    if found.metrics:
        table.add_row("  metrics", str(len(found.metrics)), "", "")
    out.print(table)
    print_notes(found, out)
