"""`runlore which-run`: which run made this file."""

import sys

import click
from rich.markup import escape

from runlore import origins as _origins
from runlore._text import line_text
from runlore.cli._options import console, grid, json_option, print_json, store_option
from runlore.documents import origin_document
from runlore.store import open_store


@click.command("which-run")
@click.argument("target", metavar="FILE|HASH")
@json_option
@store_option
def which_run(target: str, as_json: bool, store: str | None) -> None:
    """Find the runs that wrote a file, by its content.

    FILE may be a folder, may have been moved and renamed; HASH is a sha256, or its first six digits or more. The
    fingerprint of a dataset finds the runs that read it.
    """
    place = open_store(store)
    origins = _origins.which_run(place, target)
    if as_json:
        print_json([origin_document(origin) for origin in origins.found])
    elif origins.found:
        short = place.short_ids([origin.run for origin in origins.found])
        table = grid(["run", "name", "relation", "artifact", "step", "roles"], right=(4,))
        for origin in origins.found:
            table.add_row(
                "  " + short[origin.run],
                escape(line_text(origin.name, 30)),
                origin.relation,
                escape(line_text(origin.artifact, 40)),
                "–" if origin.step is None else str(origin.step),
                escape(", ".join(origin.roles)),
            )
        console().print(table)
    if not origins.found:
        click.echo(f"no run knows the content {origins.sha256[:12]}…", err=True)
        for hint in (*origins.hints, f"looked in {place.root}: --store or RUNLORE_STORE names another store"):
            click.echo(f"  {hint}", err=True)
        sys.exit(1)
