"""`runlore rm`, `runlore undo` and `runlore gc`: remove runs, bring them back, free disk space."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from runlore._text import count_text, size_text
from runlore.analysis.statistics import Best, direction
from runlore.cli.options import RunPart, chosen_runs, json_option, store_option
from runlore.cli.printing import echo, print_json
from runlore.index.parse import UNITS
from runlore.maintenance.garbage import Garbage, collect, find_garbage
from runlore.maintenance.removal import last_removal, removable, remove
from runlore.maintenance.removal import undo as undo_removal
from runlore.maintenance.retention import Surplus, drop, find_surplus
from runlore.store.models import versions_of
from runlore.store.runs import RecordedRun
from runlore.store.store import Store, open_store

MAX_RUNS = 20  # with dropped files that are listed
TITLES = {
    "blobs": "files that no run names",
    "removed": "files of removed runs",
    "drafts": "drafts, and marks of processes that are gone",
}


@click.command()
@click.argument("runs", type=RunPart(), nargs=-1)
@click.option("--where", metavar="QUERY", help="Remove all runs that fulfil a query.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@store_option
def rm(runs: tuple[str, ...], where: str | None, dry_run: bool, as_json: bool, store: str | None) -> None:
    """Remove runs and their children; `runlore undo` brings them back.

    Their disk space is freed by `runlore gc`, not before. A run that an alias of a model such as prod stands for is
    not removed.
    """
    place = open_store(store)
    chosen = chosen_runs(place, runs, where)
    if dry_run:
        chosen = removable(place, chosen)
        sizes = {run.id: sum(item.size or 0 for item in run.artifacts if item.stored) for run in chosen}
        if as_json:
            print_json([{"run": run_id, "bytes": size} for run_id, size in sizes.items()])
            return
        for run in chosen:
            echo(f"would remove {run.name} ({run.id}), {sizes[run.id]} bytes of files")
        _tell_versions(place, chosen, "would lose its run")
        freed = size_text(sum(sizes.values()))
        echo(f"{count_text(len(chosen), 'run')}, {freed} of files, as far as no other run has them")
        return
    removed = remove(place, chosen) if chosen else []
    if as_json:
        print_json([run.id for run in removed])
        return
    for run in removed:
        echo(f"removed {run.name} ({run.id})")
    _tell_versions(place, removed, "has lost its run, and loses its file with the next `runlore gc`")
    echo("`runlore undo` brings them back, until the next `runlore gc`" if removed else "no run fulfils this")


def _tell_versions(place: Store, runs: Sequence[RecordedRun], what: str) -> None:
    """Say which versions of models lose something with their runs."""
    for versions in versions_of(place, [run.id for run in runs]).values():
        for version in versions:
            echo(f"model {version.title} {what}")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be brought back.")
@json_option
@store_option
def undo(dry_run: bool, as_json: bool, store: str | None) -> None:
    """Bring back the runs that the last `rm` removed; again for the one before."""
    place = open_store(store)
    if dry_run:
        sizes = last_removal(place)
        if as_json:
            print_json([{"run": run_id, "bytes": size} for run_id, size in sizes.items()])
            return
        for run_id, size in sizes.items():
            echo(f"would bring back {run_id}, {size} bytes of records")
        echo(f"{count_text(len(sizes), 'run')}, {size_text(sum(sizes.values()))}")
        return
    ids = undo_removal(place)
    if as_json:
        print_json(ids)
        return
    for run_id in ids:
        echo(f"{place.run(run_id).name} ({run_id}) is back")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--keep-best", type=click.IntRange(min=0), metavar="K", help="Of each experiment, by --metric.")
@click.option("--metric", "-m", metavar="METRIC", help="val_acc, or with .min, .max instead of the last value.")
@click.option("--best", type=click.Choice(["min", "max"]), help="Which values are good [default: by the name].")
@click.option("--older-than", metavar="AGE", help="Keep the files of runs that ended later: 30d, 12h.")
@click.option("--where", default="", metavar="QUERY", help="Only the runs that fulfil a query.")
@json_option
@store_option
def gc(
    dry_run: bool, keep_best: int | None, metric: str | None, best: Best | None, older_than: str | None, where: str,
    as_json: bool, store: str | None,
) -> None:  # fmt: skip
    """Free the disk space of removed runs, of files that no run names any more, and of drafts.

    Removed runs can't be brought back afterwards. Files younger than an hour are left alone. With --keep-best or
    --older-than, the checkpoints and models of all other runs are dropped, too, but not those of pinned runs; the
    runs themselves stay. Look with --dry-run first.
    """
    place = open_store(store)
    place.folder.check(named=True)
    if (keep_best is None) != (metric is None):
        raise click.UsageError("--keep-best needs --metric, and the other way round")
    if where and keep_best is None and older_than is None:
        raise click.UsageError("--where chooses runs for --keep-best or --older-than: name one of them")
    surplus: list[Surplus] = []
    if keep_best is not None or older_than is not None:
        good = best or direction(metric or "")
        age = _age(older_than) if older_than else 0.0
        surplus = find_surplus(place, list(place.runs(where)), keep=keep_best, by=metric, best=good, older=age)
        if not dry_run:
            drop(surplus, "dropped by runlore gc")
    garbage = find_garbage(place, surplus if dry_run else ())
    freed = garbage.size if dry_run else collect(place, garbage)
    if as_json:
        print_json(_gc_document(garbage, surplus, freed, dry_run))
    else:
        _print_gc(garbage, surplus, freed, dry_run)


def _gc_document(garbage: Garbage, surplus: list[Surplus], freed: int, dry_run: bool) -> dict[str, Any]:
    parts = {name: {"files": len(items), "bytes": _bytes(items)} for name, items in _parts(garbage).items()}
    dropped = [{"run": item.run.id, "files": len(item.hashes), "bytes": item.size} for item in surplus]
    return {"dry_run": dry_run, "bytes": freed, **parts, "dropped": dropped, "kept": list(garbage.kept)}


def _print_gc(garbage: Garbage, surplus: list[Surplus], freed: int, dry_run: bool) -> None:
    verb = "would drop" if dry_run else "dropped"
    for item in surplus[:MAX_RUNS]:
        files = count_text(len(item.hashes), "file")
        echo(f"{verb} {files} of {item.run.name} ({item.run.id}), {size_text(item.size)}")
    if len(surplus) > MAX_RUNS:
        more = surplus[MAX_RUNS:]
        size = size_text(sum(item.size for item in more))
        echo(f"{verb} files of {count_text(len(more), 'more run')}, {size} (--json lists them)")
    for name, items in _parts(garbage).items():
        if items:
            echo(f"{TITLES[name]}: {len(items)}, {_bytes(items)} bytes")
    for reason in garbage.kept:
        echo(reason)
    later = sum(item.size for item in surplus) - freed
    echo(f"{'would free' if dry_run else 'freed'} {freed} bytes ({size_text(freed)}) now")
    if later > 0:
        echo(f"{size_text(later)} more: with a gc an hour after they were written, unless other runs have them")


def _parts(garbage: Garbage) -> dict[str, Sequence[tuple[Path, int]]]:
    return {"blobs": garbage.blobs, "removed": garbage.removed, "drafts": garbage.drafts}


def _bytes(items: Sequence[tuple[Path, int]]) -> int:
    return sum(size for _, size in items)


def _age(text: str) -> float:
    """Return the seconds that "30d" or "12h" mean."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip())
    if not found:
        raise click.UsageError(f"--older-than is {text!r}: write a number and one of s, m, h, d, w, such as 30d")
    return float(found[1]) * UNITS[found[2]]
