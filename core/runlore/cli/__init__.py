"""The command `runlore`."""

import sys
import warnings
from importlib import import_module
from typing import Any

import click

from runlore import __version__
from runlore._text import closest
from runlore.errors import QueryError, RunloreError, RunloreWarning

# Every command, in the order of the help text, with its module in `runlore.cli.commands`. The module defines a click
# command of that name, with _ for -. It is imported only when the command is called or its help is shown.
COMMANDS = {
    "run": "run",
    "ls": "ls",
    "show": "show",
    "diff": "diff",
    "which-run": "which_run",
    "lineage": "lineage",
    "reproduce": "reproduce",
    "restore": "restore",
    "stats": "stats",
    "export": "export",
    "edit": "edit",
    "tag": "edit",
    "note": "edit",
    "pin": "edit",
    "rm": "remove",
    "undo": "remove",
    "gc": "remove",
    "ui": "ui",
    "reindex": "doctor",
    "doctor": "doctor",
    "plugins": "plugins",
    "completion": "completion",
}


class _Commands(click.Group):
    """Imports commands at their call, suggests the nearest for an unknown one, and prints our errors as one line."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        found = getattr(import_module(f"runlore.cli.commands.{COMMANDS[name]}"), name.replace("-", "_"))
        return found if isinstance(found, click.Command) else None

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            close = closest(args[0], COMMANDS)
            if close is not None and "No such command" in error.message:
                raise click.UsageError(f"No such command {args[0]!r}. Did you mean {close!r}?", context) from None
            raise

    def invoke(self, context: click.Context) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("always", RunloreWarning)
            warnings.showwarning = _print_warning
            try:
                return super().invoke(context)
            except QueryError as error:
                raise _Failure(str(error), 2) from None
            except (RunloreError, TimeoutError) as error:
                raise _Failure(str(error), 1) from None
            except OSError as error:
                if not isinstance(error, BrokenPipeError):
                    raise _Failure(f"{error.filename or 'output'}: {error.strerror or error}", 1) from None
                sys.stderr.close()  # the reader of our output has closed it: no reason to complain
                raise SystemExit(0) from None


class _Failure(click.ClickException):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click reads it from the instance


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(f"runlore: {message}", err=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, package_name="runlore", message="runlore %(version)s")
def main() -> None:
    """Experiment tracking that writes itself: look at what your training runs recorded."""
