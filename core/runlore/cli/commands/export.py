"""`runlore export`: runs and points as files for other programs, or a view as one page for people."""

from dataclasses import dataclass
from pathlib import Path

import click

from runlore._warnings import without_warnings
from runlore.analysis.exports import Format, drafted
from runlore.analysis.exports import export as export_runs
from runlore.analysis.scope import listed
from runlore.cli.options import also_options, json_option, options_as, store_option
from runlore.cli.printing import echo, print_json, tell_unknown_keys
from runlore.errors import MissingDependency
from runlore.store.store import Store, open_store


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `runlore export`."""

    where: str
    kind: Format
    to: Path | None
    html: Path | None
    view: str
    title: str
    exact: bool
    also: frozenset[str]
    as_json: bool
    store: str | None


@click.command()
@click.argument("where", required=False, default="")
@click.option("--format", "kind", type=click.Choice(["parquet", "csv", "json"]), default="csv", show_default=True)
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="The folder to write to.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="One page of tables and charts, instead.")
@click.option(
    "--view", default="", metavar="ADDRESS", help="What --html shows: an address of the page of `runlore ui`."
)
@click.option("--title", default="", help="Of the page that --html writes.")
@click.option("--exact", is_flag=True, help="CSV for programs: no apostrophe before what looks like a formula.")
@also_options
@json_option
@store_option
@options_as(Options)
def export(options: Options) -> None:
    """Write runs and their points to files: runs.parquet and points.parquet, say.

    One row a run with params, metrics and tags as columns; one row a point. With --format json, one object a line. In
    CSV, an apostrophe stands before a text that a spreadsheet would take for a formula.

    With --html FILE, write a page that needs no server: the runs of a query, their charts and details, or what --view
    shows in the browser: chosen runs, columns, groups, a comparison.
    """
    if (options.to is None) == (options.html is None):
        raise click.UsageError("say where to: --to FOLDER for tables, or --html FILE for a page")
    if options.html is not None and not options.html.parent.is_dir():
        raise click.UsageError(f"--html: there is no folder {str(options.html.parent)!r}")
    if options.view and (options.html is None or options.where or options.also):
        raise click.UsageError("--view goes with --html, and has a query of its own")
    place = open_store(options.store)
    place.check_query(options.where)
    written: list[Path]
    if options.html is not None:
        count, written = _page(place, options, options.html), [options.html]
    else:
        assert options.to is not None
        with without_warnings():  # a hint is printed below, for the query as it was typed
            runs = place.runs(listed(options.where, options.also), sort="id")
        if not runs:
            tell_unknown_keys(place, options.where)
        count, written = len(runs), export_runs(runs, options.to, options.kind, exact=options.exact)
    if options.as_json:
        print_json({"runs": count, "files": [str(path) for path in written]})
        return
    for path in written:
        echo(str(path))


def _page(place: Store, options: Options, target: Path) -> int:
    """Write the page, whole or not at all. Return the number of runs that its table has."""
    try:
        from runlore.ui.report import View, report
    except ImportError as error:
        raise MissingDependency(f"the page needs {error.name}: pip install 'runlore[ui]'") from None
    view = View.at(options.view) if options.view else View(options.where, tuple(options.also))
    made = report(place, view, options.title)
    with drafted(target) as draft:
        draft.write_text(made.text, encoding="utf-8")
    return made.runs
