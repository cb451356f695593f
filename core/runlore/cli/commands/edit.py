"""`runlore edit`, `tag`, `note`, `pin` and `archive`: what people add to a run that is recorded."""

import sys

import click

from runlore._text import count_text
from runlore.cli.options import RunPart, chosen_runs, json_option, store_option
from runlore.cli.printing import echo, print_json
from runlore.index.fields import SET
from runlore.maintenance import editing
from runlore.maintenance.removal import PINNED
from runlore.store.details import Note
from runlore.store.runs import RecordedRun
from runlore.store.store import open_store


@click.command()
@click.argument("run", type=RunPart())
@click.option("--name", help="Another name.")
@click.option("--experiment", help="The experiment to move it to, with its children.")
@click.option("--description", help="A text about it, the tag `description`; an empty one takes it off.")
@store_option
def edit(run: str, name: str | None, experiment: str | None, description: str | None, store: str | None) -> None:
    """Rename a run, move it to another experiment, describe it; also one that has finished."""
    if name is None and experiment is None and description is None:
        raise click.UsageError("nothing to change: write --name, --experiment or --description")
    place = open_store(store)
    found = place.run(run)
    try:
        editing.edit(found, name=name, experiment=experiment, description=description)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    now = place.run(found.id)
    echo(f"{now.name} ({now.id}) in {now.experiment}")


@click.command()
@click.argument("run", type=RunPart())
@click.argument("pairs", metavar="KEY=VALUE…", nargs=-1)
@click.option("--remove", "-r", "removed", metavar="KEY", multiple=True, help="A tag to take off; may be repeated.")
@json_option
@store_option
def tag(run: str, pairs: tuple[str, ...], removed: tuple[str, ...], as_json: bool, store: str | None) -> None:
    """Set tags of a run, also of one that has finished.

    Without KEY=VALUE and --remove, its tags are shown.
    """
    tags: dict[str, str | None] = dict.fromkeys(removed)
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise click.UsageError(f"{pair!r} is no tag: write KEY=VALUE, such as team=vision")
        tags[key] = value
    place = open_store(store)
    found = place.run(run)
    absent = [key for key in removed if key not in found.tags]
    if absent:
        known = ", ".join(found.tags) or "none"
        raise click.ClickException(f"run {found.name!r} has no tag {absent[0]!r}: it has {known}")
    if tags:
        found.set_tags(tags)
        found = place.run(found.id)
    if as_json:
        print_json(found.tags)
        return
    for key, value in sorted(found.tags.items()):
        echo(f"{key}={value}")


@click.command()
@click.argument("run", type=RunPart())
@click.argument("text", nargs=-1)
@click.option("--edit", "edited", metavar="N", type=click.IntRange(1), help="Give the note N of `show` this text.")
@click.option("--remove", "removed", metavar="N", type=click.IntRange(1), help="Remove the note N of `show`.")
@store_option
def note(run: str, text: tuple[str, ...], edited: int | None, removed: int | None, store: str | None) -> None:
    """Add a note to a run: `runlore note k3f9 worse than it looks`; or correct one, or remove it.

    With - in place of the text it is read from stdin; without one, at a terminal, your editor opens. Markdown is shown
    as such on the page.
    """
    if removed is not None and (text or edited is not None):
        raise click.UsageError("--remove needs neither a text nor --edit")
    found = open_store(store).run(run)
    if removed is not None:
        found.edit_note(_note(found, removed), None)
        echo(f"removed a note of {found.name}")
        return
    known = None if edited is None else _note(found, edited)
    words = _read(text, "" if known is None else known.text).strip()
    if not words:
        raise click.UsageError("the note is empty: write its text after the run, or - to read it from stdin")
    if known is None:
        found.note(words)
    else:
        found.edit_note(known, words)
    echo(f"noted on {found.name}")


def _note(run: RecordedRun, number: int) -> Note:
    """Return a note by its number as `show` has it, from 1."""
    if number > len(run.notes):
        raise click.ClickException(f"run {run.name!r} has {count_text(len(run.notes), 'note')}: there is no {number}")
    return run.notes[number - 1]


def _read(text: tuple[str, ...], before: str) -> str:
    """Return the text of a note: what was typed, or stands on stdin, or becomes of the one `before` in the editor."""
    if text == ("-",):
        return sys.stdin.read()
    if text or not sys.stdin.isatty():
        return " ".join(text)
    return click.edit(before, extension=".md") or ""


@click.command()
@click.argument("runs", type=RunPart(), nargs=-1, required=True)
@click.option("--off", is_flag=True, help="Let them go again.")
@store_option
def pin(runs: tuple[str, ...], off: bool, store: str | None) -> None:
    """Keep runs: neither `rm` nor the rules of `gc` take anything of them."""
    place = open_store(store)
    for found in [place.run(part) for part in runs]:
        found.set_tags({PINNED: None if off else SET})
        echo(f"{'let go of' if off else 'pinned'} {found.name} ({found.id})")


@click.command()
@click.argument("runs", type=RunPart(), nargs=-1)
@click.option("--where", metavar="QUERY", help="All runs that fulfil a query.")
@click.option("--off", is_flag=True, help="Leave them out no longer.")
@json_option
@store_option
def archive(runs: tuple[str, ...], where: str | None, off: bool, as_json: bool, store: str | None) -> None:
    """Leave runs and their children out of tables, charts and statistics; nothing of them is removed.

    `runlore ls --archived` lists them, too; their names and ids stand for them as before.
    """
    chosen = chosen_runs(open_store(store), runs, where)
    changed = editing.archive(chosen, off=off)
    if as_json:
        print_json([run.id for run in changed])
        return
    for run in changed:
        echo(f"{'no longer archived:' if off else 'archived'} {run.name} ({run.id})")
    if not changed:
        echo("there is nothing to change" if chosen else "no run fulfils this")
