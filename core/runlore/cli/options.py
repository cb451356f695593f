"""Arguments and options that several commands have: --store, --json, --all, and runs that shells complete."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from runlore._text import hides_nothing
from runlore.errors import RunloreError
from runlore.models.names import PREFIX
from runlore.store.runs import RecordedRun
from runlore.store.store import Store, open_store

MAX_COMPLETED = 200  # of the newest runs, whose names and ids shells complete

T = TypeVar("T")

store_option = click.option(
    "--store", metavar="PLACE", help="The store's folder or URL [default: found like .git, or $RUNLORE_STORE]."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


def _asked_for(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    """Add what a flag asks for to the argument `also`."""
    also: frozenset[str] = context.params.get("also", frozenset())
    context.params["also"] = also | ({str(parameter.name)} if given else set())


def also_options(command: T) -> T:
    """Add --all and --archived: the command's argument `also` has "children", "archived", or both."""
    for flag, name, about in (
        ("--archived", "archived", "Archived runs, too."),
        ("--all", "children", "All runs, children included."),
    ):
        add = click.option(flag, name, is_flag=True, expose_value=False, callback=_asked_for, help=about)
        command = add(command)  # type: ignore[type-var]
    return command


class RunPart(click.ParamType):  # type: ignore[type-arg]
    """A unique part of a run's id, or its name; shells complete both."""

    name = "run"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the newest runs whose name or id begins with the text; behind `model:`, models and their aliases."""
        if incomplete.startswith(PREFIX):
            return _addresses(ctx.params.get("store"), incomplete)
        try:
            runs = open_store(ctx.params.get("store")).runs(limit=MAX_COMPLETED)
        except (RunloreError, OSError):
            return []  # the command itself will say why; here it would be written into the line that is typed
        names = ((run.name, run.status) for run in runs if hides_nothing(run.name) and not run.name.startswith("-"))
        found = [CompletionItem(name, help=status) for name, status in names if name.startswith(incomplete)]
        return found + [CompletionItem(run.id) for run in runs if incomplete and run.id.startswith(incomplete)]


def chosen_runs(store: Store, runs: Sequence[str], where: str | None) -> list[RecordedRun]:
    """Return the runs that a command's arguments name, or those that fulfil its --where.

    Raises:
        UsageError: neither is given, or both; an empty query would stand for all runs.
    """
    if not runs and not where:
        raise click.UsageError("name a run, or --where QUERY")
    if runs and where is not None:
        raise click.UsageError("name runs or --where QUERY, not both")
    return [store.run(part) for part in runs] if where is None else list(store.runs(where))


def _addresses(store: str | None, incomplete: str) -> list[CompletionItem]:
    try:
        models = open_store(store).models()
    except (RunloreError, OSError):
        return []
    found = [f"{PREFIX}{model.name}" for model in models]
    found += [f"{PREFIX}{model.name}@{alias}" for model in models for alias in model.aliases]
    return [CompletionItem(text) for text in found if text.startswith(incomplete) and hides_nothing(text)]


def options_as(kind: Callable[..., T]) -> Callable[[Callable[[T], None]], Callable[..., None]]:
    """Pass all arguments and options of a command as one object; `kind` is a dataclass with a field for each."""

    def decorate(command: Callable[[T], None]) -> Callable[..., None]:
        @wraps(command)
        def call(**values: Any) -> None:
            command(kind(**values))

        return call

    return decorate
