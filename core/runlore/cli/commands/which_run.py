"""`runlore which-run`: find the run that made a file."""

import sys
from pathlib import Path

import click
from rich.markup import escape

from runlore._text import line_text, number_text
from runlore.cli.options import json_option, store_option
from runlore.cli.printing import echo, grid, print_json, print_whole
from runlore.documents import origin_document
from runlore.provenance import origins as _origins
from runlore.store.store import Store, open_store

NAME_CHARS = 40  # of an artifact, and of what is said of others
ROLE_CHARS = 40  # of all its roles together


@click.command("which-run")
@click.argument("targets", metavar="FILE|FOLDER|HASH…", nargs=-1, required=True)
@json_option
@store_option
def which_run(targets: tuple[str, ...], as_json: bool, store: str | None) -> None:
    """Find the runs that wrote a file, and those that read it, by its content.

    FILE may have been moved or renamed. HASH is a sha256, of which six digits are enough, or the fingerprint of a
    dataset. A model file that was converted or saved again is found by its weights.
    """
    place = open_store(store)
    known = [(target, _origins.which_run(place, target)) for target in targets]
    if as_json:
        many = len(targets) > 1
        documents = [
            origin_document(origin) | ({"target": target} if many else {})
            for target, origins in known
            for origin in origins.found
        ]
        print_json(documents)
    else:
        for target, origins in known:
            if len(targets) > 1:
                echo(target)
            if origins.found:
                _print(place, origins.found, Path(target).name)
    for _, origins in known:
        if not origins.found:
            echo(f"no run knows the content {origins.sha256[:12]}…", err=True)
            for hint in dict.fromkeys(origins.hints):
                echo(f"  {hint}", err=True)
            echo(f"  looked in {place.root}: --store or RUNLORE_STORE names another store", err=True)
    if not all(origins.found for _, origins in known):
        sys.exit(1)


def _print(place: Store, found: tuple[_origins.Origin, ...], name: str) -> None:
    """Print a line for each run and relation; of several files of a run, the one with this name, or the newest."""
    short = place.short_ids([origin.run for origin in found])
    groups: dict[tuple[str, str], list[_origins.Origin]] = {}
    for origin in found:
        groups.setdefault((origin.run, origin.relation), []).append(origin)
    models = ["model"] if any(origin.versions for origin in found) else []
    table = grid(["run", "name", "", "artifact", "step", "epoch", "roles", *models], right=(4, 5))
    for origins in groups.values():
        origin = next((item for item in reversed(origins) if item.artifact == name), origins[-1])
        roles = dict.fromkeys(role for item in origins for role in item.roles)
        more = f" and {len(origins) - 1} more" if len(origins) > 1 else ""
        table.add_row(
            "  " + short[origin.run],
            escape(line_text(origin.name, 20)),
            origin.relation,
            escape(line_text(origin.artifact, NAME_CHARS - len(more)) + more),
            "–" if origin.step is None else str(origin.step),
            "–" if origin.epoch is None else number_text(origin.epoch),
            escape(line_text(", ".join(roles), ROLE_CHARS)),
            *([escape(", ".join(version.title for version in origin.versions))] if models else []),
        )
    print_whole(table)
    if found[0].match == "weights":
        echo("Found by the weights in it: the file itself is another one.")
