"""`runlore run`: record a script that has no line of ours."""

import os
import sys
from pathlib import Path

import click

PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(context_settings=PASS_ON)
@click.option("-m", "module", metavar="MODULE", help="Run a module, as `python -m` does.")
@click.argument("command", metavar="SCRIPT [ARGUMENTS]…", nargs=-1, type=click.UNPROCESSED)
def run(module: str | None, command: tuple[str, ...]) -> None:
    """Run a Python script with every supported framework recorded.

    The script gets all arguments behind its name. RUNLORE_AUTOLOG may name the frameworks, such as sklearn.
    """
    if module is None and not command:
        raise click.UsageError("name a script: runlore run train.py --lr 0.1")
    if module is None and not Path(command[0]).is_file():
        raise click.UsageError(f"there is no script {command[0]!r}")
    os.environ.setdefault("RUNLORE_AUTOLOG", "1")
    target = [*(["-m", module] if module is not None else []), *command]
    os.execv(sys.executable, [sys.executable, "-m", "runlore._script", *target])
