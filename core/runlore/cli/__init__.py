"""The command `runlore`."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click
from click.shell_completion import add_completion_class

from runlore import __version__
from runlore._process import process
from runlore._text import closest
from runlore.cli.printing import (
    Progress,
    message_text,
    mute_output,
    print_everywhere,
    print_message,
    print_traceback,
)
from runlore.cli.shells import COMPLETE, Bash
from runlore.errors import QueryError, RunloreError, RunloreWarning
from runlore.index.watching import Watching

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
    "model": "model",
    "stats": "stats",
    "export": "export",
    "edit": "edit",
    "tag": "edit",
    "note": "edit",
    "pin": "edit",
    "archive": "edit",
    "rm": "remove",
    "undo": "remove",
    "gc": "remove",
    "ui": "ui",
    "reindex": "doctor",
    "quarantine": "doctor",
    "doctor": "doctor",
    "plugins": "doctor",
    "env": "shell",
    "completion": "shell",
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

    def main(self, *args: Any, **kwargs: Any) -> Any:
        sys.excepthook = print_traceback
        if COMPLETE in os.environ:
            add_completion_class(Bash)
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _quiet_where_cut_off(), _visible_errors():  # of the help, which is printed here
            return super().make_context(*args, **kwargs)

    def invoke(self, context: click.Context) -> Any:
        print_everywhere()
        if sys.stderr is not None and sys.stderr.isatty():
            process.part(Watching).tell = Progress()
        with _quiet_where_cut_off(), _visible_errors(), warnings.catch_warnings():
            warnings.simplefilter("always", RunloreWarning)
            warnings.showwarning = _print_warning
            try:
                return super().invoke(context)
            except QueryError as error:
                raise _Failure(str(error), 2) from None
            except (RunloreError, TimeoutError) as error:
                raise _Failure(str(error), 1) from None
            except OSError as error:
                if isinstance(error, BrokenPipeError):
                    raise
                raise _Failure(f"{error.filename or 'output'}: {error.strerror or error}", 1) from None


@contextmanager
def _quiet_where_cut_off() -> Iterator[None]:
    """End the command well, and without a word, where the reader of its output has closed it."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # else Python does it at the end, and complains
    except BrokenPipeError:
        mute_output()
        raise SystemExit(0) from None


@contextmanager
def _visible_errors() -> Iterator[None]:
    """Write the hidden characters of an error's message as escapes: click prints it."""
    try:
        yield
    except click.ClickException as error:
        error.message = message_text(error.message)  # type: ignore[misc]  # click prints it from the instance
        raise


class _Failure(click.ClickException):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click reads it from the instance


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    print_message(f"runlore: {message}")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, package_name="runlore", message="runlore %(version)s")
def main() -> None:
    """Experiment tracking that writes itself: look at what your training runs recorded."""
