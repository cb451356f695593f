"""`runlore completion`."""

import click
from click.shell_completion import get_completion_class

from runlore.cli.printing import echo
from runlore.cli.shells import COMPLETE


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
