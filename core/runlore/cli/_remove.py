"""`runlore rm`, `undo` and `gc`: removing runs, taking it back, freeing room."""

import click

from runlore._text import size_text
from runlore.cli._options import RunPart, json_option, print_json, store_option
from runlore.housekeeping import collect, find_garbage, remove
from runlore.housekeeping import undo as undo_removal
from runlore.store import open_store


@click.command()
@click.argument("runs", type=RunPart(), nargs=-1)
@click.option("--where", metavar="QUERY", help="Remove all runs that fulfil a query.")
@json_option
@store_option
def rm(runs: tuple[str, ...], where: str | None, as_json: bool, store: str | None) -> None:
    """Remove runs and their children; `runlore undo` brings them back.

    Their room is freed by `runlore gc`, and not before.
    """
    if not runs and not where:
        raise click.UsageError("name a run, or --where QUERY")
    if runs and where is not None:
        raise click.UsageError("name runs or --where QUERY, not both")
    place = open_store(store)
    chosen = [place.run(part) for part in runs]
    if where is not None:
        chosen += list(place.runs(where))
    removed = remove(place, chosen) if chosen else []
    if as_json:
        print_json([run.id for run in removed])
        return
    for run in removed:
        click.echo(f"removed {run.name} ({run.id})")
    click.echo("`runlore undo` brings them back" if removed else "no run fulfils this")


@click.command()
@json_option
@store_option
def undo(as_json: bool, store: str | None) -> None:
    """Bring back the runs that the last `rm` removed; again for the one before."""
    place = open_store(store)
    ids = undo_removal(place)
    if as_json:
        print_json(ids)
        return
    for run_id in ids:
        click.echo(f"{place.run(run_id).name} ({run_id}) is back")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@store_option
def gc(dry_run: bool, as_json: bool, store: str | None) -> None:
    """Free the room of removed runs, of files that no run names any more, and of drafts.

    What was removed with `rm` can't be brought back afterwards. Files younger than an hour are left alone.
    """
    place = open_store(store)
    place.folder.check(named=True)
    garbage = find_garbage(place)
    freed = garbage.size if dry_run else collect(place, garbage)
    groups = {"blobs": garbage.blobs, "removed": garbage.removed, "drafts": garbage.drafts}
    if as_json:
        parts = {name: {"files": len(items), "bytes": sum(size for _, size in items)} for name, items in groups.items()}
        print_json({"dry_run": dry_run, "bytes": freed, **parts, "kept": list(garbage.kept)})
        return
    titles = {"blobs": "files that no run names", "removed": "files of removed runs", "drafts": "drafts"}
    for name, items in groups.items():
        if items:
            click.echo(f"{titles[name]}: {len(items)}, {sum(size for _, size in items)} bytes")
    for reason in garbage.kept:
        click.echo(reason)
    click.echo(f"{'would free' if dry_run else 'freed'} {freed} bytes ({size_text(freed)})")
