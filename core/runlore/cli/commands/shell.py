"""`runlore completion` and `runlore env`: what a shell evaluates."""

import os
import shlex

import click
from click.shell_completion import get_completion_class

from runlore._startup import JOINING, WATCHED
from runlore.cli.printing import echo
from runlore.cli.shells import COMPLETE
from runlore.plugins.autolog import told_modules


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and run names in a shell.

    For bash, put this into ~/.bashrc:  eval "$(runlore completion bash)"
    """
    kind = get_completion_class(shell)
    if kind is not None:
        echo(*kind(context.find_root().command, {}, "runlore", COMPLETE).source().splitlines())


@click.command()
@click.option("--off", is_flag=True, help="Print what takes it back.")
def env(off: bool) -> None:
    """Print what a shell evaluates so that each Python which it starts records what it trains.

    eval "$(runlore env)" in sh, bash or zsh; eval "$(runlore env --off)" takes it back. It sets PYTHONPATH and
    RUNLORE_WATCHED, and changes no file.
    """
    before = os.environ.get("PYTHONPATH")
    others = [name for name in before.split(os.pathsep) if name != JOINING] if before else []
    found = {
        "PYTHONPATH": os.pathsep.join(others if off else [JOINING, *others]),
        WATCHED: "" if off else told_modules(),
    }
    for name, value in found.items():
        echo(f"export {name}={shlex.quote(value)}" if value else f"unset {name}")
