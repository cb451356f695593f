"""`runlore export`: runs and points as files for other programs."""

from pathlib import Path

import click

from runlore.analysis.exports import Format
from runlore.analysis.exports import export as export_runs
from runlore.analysis.scope import with_children
from runlore.cli.options import children_option, json_option, store_option
from runlore.cli.printing import echo, print_json
from runlore.store.store import open_store


@click.command()
@click.argument("where", required=False, default="")
@click.option("--format", "kind", type=click.Choice(["parquet", "csv", "json"]), default="csv", show_default=True)
@click.option("--to", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write to.")
@click.option("--exact", is_flag=True, help="CSV for programs: no apostrophe before what looks like a formula.")
@children_option
@json_option
@store_option
def export(where: str, kind: Format, to: Path, exact: bool, show_all: bool, as_json: bool, store: str | None) -> None:
    """Write runs and their points to files: runs.parquet and points.parquet, say.

    One row a run with params, metrics and tags as columns; one row a point. With --format json, one object a line. In
    CSV, an apostrophe stands before a text that a spreadsheet would take for a formula.
    """
    place = open_store(store)
    place.check_query(where)
    runs = place.runs(with_children(where, show_all), sort="id")
    written = export_runs(runs, to, kind, exact=exact)
    if as_json:
        print_json({"runs": len(runs), "files": [str(path) for path in written]})
        return
    for path in written:
        echo(str(path))
