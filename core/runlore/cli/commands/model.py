"""`runlore model`: models with names, their versions, aliases, notes, and what was changed when, by whom and why."""

from datetime import datetime
from typing import Any

import click
from click.shell_completion import CompletionItem
from rich.markup import escape

from runlore._text import ago_text, as_time, count_text, line_text, number_text, one_line, size_text
from runlore.cli.options import RunPart, json_option, store_option
from runlore.cli.printing import console, echo, grid, print_json, print_whole
from runlore.documents import change_document, model_document, models_document, version_details, version_document
from runlore.errors import RunloreError
from runlore.index.parse import parse_moment
from runlore.models.names import is_alias
from runlore.provenance.hashing import complete_run
from runlore.store.models import Model
from runlore.store.store import Store, open_store
from runlore.store.versions import ModelChange, ModelVersion

MAX_ROWS = 20  # of versions and of changes; --full shows all
NAME_CHARS = 30  # of a model, a run, an artifact
ALIAS_CHARS = 40  # of all aliases of a version
REASON_CHARS = 200
FINGERPRINT_DIGITS = 12  # of a dataset or a commit

reason_option = click.option("--reason", default="", help="Why: it stands in the history.")


class _Models(click.Group):
    """Shows a model, or lists them, where the first word is no command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = not args or args[0] not in (*self.commands, "--help", "-h")
        return super().parse_args(ctx, ["show", *args] if known else args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        return [*super().shell_complete(ctx, incomplete), *_names(ctx, incomplete)]


def _names(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    try:
        models = open_store(ctx.params.get("store")).models()
    except (RunloreError, OSError):
        return []  # the command itself will say why
    return [CompletionItem(found.name) for found in models if found.name.startswith(incomplete)]


class ModelName(click.ParamType):  # type: ignore[type-arg]
    """The name of a model; shells complete it."""

    name = "model"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the models whose names begin with the text."""
        return _names(ctx, incomplete)


class VersionPart(click.ParamType):  # type: ignore[type-arg]
    """The number of a version or an alias; shells complete both."""

    name = "version"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the aliases and versions of the model that was typed before."""
        try:
            model = open_store(ctx.params.get("store")).model(str(ctx.params.get("name")))
            names = [*model.aliases, *(version.version for version in model.versions)]
        except (RunloreError, OSError):
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.group(cls=_Models)
def model() -> None:
    """List models with names and change them: their versions, and what aliases such as prod name, named, and why.

    `runlore model` lists them, `runlore model NAME` shows one, `runlore model NAME@prod` one version. Wherever a
    command takes a RUN, `model:NAME@prod` is the run behind that version.
    """


@model.command()
@click.argument("name", type=ModelName(), required=False)
@click.option("--at", metavar="TIME", help="As it was then: 2026-03-03 (at the end of that day, UTC), or with a time.")
@click.option("--full", is_flag=True, help="Every version and change.")
@json_option
@store_option
def show(name: str | None, at: str | None, full: bool, as_json: bool, store: str | None) -> None:
    """List the models, or show one: NAME, or one version of it: NAME@VERSION or NAME@ALIAS."""
    place = open_store(store)
    moment = None if at is None else _moment(at)
    if name is None:
        _list(place, moment, as_json)
        return
    text, separator, part = name.removeprefix("model:").partition("@")
    found = place.model(text) if moment is None else place.model(text).at(moment)
    version = found[part] if separator else None
    if not found.history:
        found["latest"]  # which says what is wrong
    if as_json:
        print_json(model_document(found) if version is None else version_details(version))
    elif version is None:
        _print_model(found, None if full else MAX_ROWS)
    else:
        _print_version(found, version)


@model.command()
@click.argument("name", type=ModelName())
@click.argument("run", type=RunPart())
@click.option("--artifact", "-a", metavar="NAME|ROLE", help="The file [default: best, else last, else the only].")
@click.option("--alias", "aliases", multiple=True, metavar="ALIAS", help="An alias for it, such as prod; repeatable.")
@click.option("--note", default="", metavar="TEXT", help="What there is to know about it.")
@reason_option
@json_option
@store_option
def add(
    name: str, run: str, artifact: str | None, aliases: tuple[str, ...], note: str, reason: str, as_json: bool,
    store: str | None,
) -> None:  # fmt: skip
    """Add a file of a run to a model as its next version: `runlore model add digits k3f9 --alias prod`."""
    place = open_store(store)
    found = complete_run(place.run(run))
    version = place.model(name).add(found, artifact, aliases=aliases, note=note, reason=reason)
    if as_json:
        print_json(version_document(version))
        return
    named = f", now {', '.join(version.aliases)}" if version.aliases else ""
    echo(f"{name} version {version.version}: {version.artifact_name} of {found.name} ({found.id}){named}")


@model.command()
@click.argument("name", type=ModelName())
@click.argument("version", type=VersionPart())
@click.argument("alias")
@reason_option
@json_option
@store_option
def alias(name: str, version: str, alias: str, reason: str, as_json: bool, store: str | None) -> None:
    """Let an alias name a version: `runlore model alias digits candidate prod --reason "better on dark images"`."""
    found = open_store(store).model(name)
    before = found.aliases.get(alias)
    chosen = found.set_alias(alias, version, reason)
    if as_json:
        print_json(version_document(chosen))
        return
    moved = f", it was version {before.version}" if before is not None else ""
    echo(f"{name}@{alias} is version {chosen.version}{moved}")


@model.command()
@click.argument("name", type=ModelName())
@click.argument("part", metavar="ALIAS|VERSION", type=VersionPart())
@reason_option
@json_option
@store_option
def rm(name: str, part: str, reason: str, as_json: bool, store: str | None) -> None:
    """Take an alias off a model, or withdraw a version that no alias names. Both stay in the history.

    The run behind a version and its files stay as they are.
    """
    found = open_store(store).model(name)
    version = found[part]
    if is_alias(part):
        found.remove_alias(part, reason)
        told = f"{name}@{part} names nothing now, it was version {version.version}"
    else:
        found.withdraw(version, reason)
        told = f"version {version.version} of {name} is withdrawn"
    if as_json:
        print_json(change_document(found.history[-1]))
    else:
        echo(told)


@model.command()
@click.argument("name", metavar="NAME[@VERSION]", type=ModelName())
@click.argument("text", nargs=-1, required=True)
@json_option
@store_option
def note(name: str, text: tuple[str, ...], as_json: bool, store: str | None) -> None:
    """Add a note to a model, or to a version of it: `runlore model note digits@3 fails on sevens`."""
    words = " ".join(text).strip()
    if not words:
        raise click.UsageError("the note is empty: write its text after the model")
    title, separator, part = name.partition("@")
    found = open_store(store).model(title)
    found.add_note(words, part if separator else None)
    if as_json:
        print_json(change_document(found.notes[-1]))
    else:
        echo(f"noted on {name}")


def _moment(text: str) -> datetime:
    """Return the time that was typed; of a date its end."""
    found = parse_moment(text)
    if found is None:
        raise click.UsageError(f"--at is {text!r}: write 2026-03-03, or 2026-03-03T14:00")
    return as_time(found)


def _list(place: Store, moment: datetime | None, as_json: bool) -> None:
    models = [item if moment is None else item.at(moment) for item in place.models()]
    models = [item for item in models if item.history]
    if as_json:
        print_json(models_document(models))
        return
    if not models:
        echo('no models: `runlore model add NAME RUN` makes one, or `run.log_artifact(…, model="NAME")`')
        return
    table = grid(["model", "versions", "aliases", "changed", "by"], right=(1,))
    for item in models:
        aliases = ", ".join(f"{alias} {version.version}" for alias, version in item.aliases.items())
        last = item.history[-1]
        table.add_row(
            "  " + escape(line_text(item.name, NAME_CHARS)),
            str(len(item)),
            escape(line_text(aliases, ALIAS_CHARS)),
            ago_text(last.time),
            escape(line_text(last.user, NAME_CHARS)),
        )
    print_whole(table)
    for item in models:
        echo(*(f"not readable: {line}" for line in item.damage), err=True)


def _print_model(found: Model, most: int | None) -> None:
    out = console()
    then = "" if found.until is None else f" at {found.until:%Y-%m-%d %H:%M:%S} UTC"
    out.print(f"[bold]{escape(found.name)}[/]  {count_text(len(found), 'version')}{then}")
    versions = found.versions[::-1]
    shown = versions[:most]
    names = {run.id: run.name for run in found.store.known([version.run_id for version in shown])}
    table = grid(["version", "aliases", "run", "artifact", "step", "size", "added", "by"], right=(4, 5))
    for version in shown:
        aliases = ", ".join(version.aliases)
        table.add_row(
            "  " + version.version,
            escape(aliases if most is None else line_text(aliases, ALIAS_CHARS)),
            escape(line_text(names.get(version.run_id, f"{version.run_id} (gone)"), NAME_CHARS)),
            escape(line_text(version.artifact_name, NAME_CHARS)),
            "–" if version.step is None else str(version.step),
            size_text(version.size),
            ago_text(version.added),
            escape(line_text(version.user, NAME_CHARS)),
        )
    if shown:
        print_whole(table)
    _tell_more(len(versions) - len(shown), "version")
    echo("history, in UTC, the newest first")
    history = found.history[::-1]
    for change in history[:most]:
        echo(f"  {change.time:%Y-%m-%d %H:%M}  {line_text(change.user, NAME_CHARS)}  {_told(change)}")
    _tell_more(max(0, len(history) - len(history[:most])), "change")
    echo(*(f"not readable: {line}" for line in found.damage), err=True)


def _tell_more(count: int, what: str) -> None:
    if count:
        echo(f"  … and {count_text(count, f'more {what}')}: --full or --json")


def _told(change: ModelChange) -> str:
    """Say in one line what a change was."""
    if change.what == "version":
        told = f"version {change.version}" + (f": {one_line(change.text)}" if change.text else "")
    elif change.what == "alias" and change.version is None:
        told = f"{change.alias} {change.before} → nothing"
    elif change.what == "alias":
        told = f"{change.alias} {change.before or 'nothing'} → {change.version}"
    elif change.what == "withdrawn":
        told = f"version {change.version} withdrawn" + "".join(f", {alias} with it" for alias in change.ended)
    else:
        on = f"on version {change.version}" if change.version is not None else ""
        told = f"note {on}{': ' if on else ''}{line_text(change.text, REASON_CHARS)}"
    return told + (f"  — {line_text(change.reason, REASON_CHARS)}" if change.reason else "")


def _print_version(found: Model, version: ModelVersion) -> None:
    """Print where one version comes from: run, file, data, code; and what was said of it."""
    document = version_details(version)
    named = f" ({', '.join(version.aliases)})" if version.aliases else ""
    echo(f"{found.name} version {version.version}{named}")
    code, data = document["code"], document["data"]
    step = "" if version.step is None else f" of step {version.step}"
    epoch = "" if version.epoch is None else f", epoch {number_text(version.epoch)}"
    facts: dict[str, Any] = {
        "run": f"{document['run_name']} ({version.run_id})" if document["run_name"] else f"{version.run_id}, gone",
        "file": f"{version.artifact_name}{step}{epoch}, {size_text(version.size)}",
        "sha256": version.sha256 or "–",
        "added": f"{version.added:%Y-%m-%d %H:%M:%S} UTC by {version.user} on {version.host}",
        "note": version.note,
        "why": version.reason,
        "code": "" if not code else f"commit {code['commit']}" + (", with changes" if code["dirty"] else ""),
        "data": ", ".join(f"{name} {value[:FINGERPRINT_DIGITS]}" if value else name for name, value in data.items()),
    }
    for key, value in facts.items():
        if value:
            echo(f"  {key:<7} {value}")
    about = [change for change in found.history if version.version in (change.version, change.before)]
    for change in about:
        echo(f"  {change.time:%Y-%m-%d %H:%M}  {line_text(change.user, NAME_CHARS)}  {_told(change)}")
