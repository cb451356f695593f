"""`runlore run`: record a program that has no line of ours."""

import shutil
import sys

import click

from runlore._text import closest
from runlore.cli.options import store_option
from runlore.cli.printing import print_message
from runlore.errors import SettingError
from runlore.programs.command import CantStart, run_program
from runlore.programs.printed import wanted_forms

PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


class _Tag(click.ParamType):  # type: ignore[type-arg]
    name = "key=value"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return key and value of a tag."""
        key, separator, text = value.partition("=")
        if not separator or not key:
            self.fail(f"{value!r} is no tag: write key=value", param, ctx)
        return key, text


@click.command(context_settings=PASS_ON)
@click.option("-m", "module", metavar="MODULE", help="Run a module, as `python -m` does.")
@click.option("--experiment", metavar="NAME", help="The experiment of the run, and of what is trained in it.")
@click.option("--name", metavar="NAME", help="The name of the run.")
@click.option("--tag", "tags", type=_Tag(), multiple=True, help="A tag of the run; may be repeated.")
@click.option("--parse-output", is_flag=True, help="Record numbers that it prints as `loss: 0.5` as metrics.")
@click.option("--parse-pattern", "patterns", metavar="REGEX", multiple=True, help="Record what named groups match.")
@store_option
@click.argument("program", metavar="PROGRAM [ARGUMENTS]…", nargs=-1, type=click.UNPROCESSED)
def run(
    module: str | None, experiment: str | None, name: str | None, tags: tuple[tuple[str, str], ...],
    parse_output: bool, patterns: tuple[str, ...], store: str | None, program: tuple[str, ...],
) -> None:  # fmt: skip
    """Run a program with all that it trains recorded, and nothing of it changed.

    PROGRAM is a Python script, or anything that starts Pythons: torchrun, accelerate launch, make, a shell script. Its
    run holds command, output and end; each training in it is a run below. It gets all arguments behind its name.
    """
    called = [*(["-m", module] if module is not None else []), *program]
    if not called:
        raise click.UsageError("name a program: runlore run train.py --lr 0.1")
    if called[0].startswith("-") and called[0] != "-m" and shutil.which(called[0]) is None:
        own = [word for param in click.get_current_context().command.params for word in param.opts if word[0] == "-"]
        close = closest(called[0].partition("=")[0], own)
        hint = "" if close is None else f": did you mean {close}?"
        raise click.UsageError(
            f"{called[0]!r} is no option of ours{hint}; one of Python's own: runlore run python {called[0]} train.py"
        )
    try:
        forms = wanted_forms(parse_output, patterns)
    except SettingError as error:
        raise click.UsageError(str(error)) from None
    try:
        run_program(called, forms, store=store, name=name, experiment=experiment, tags=dict(tags) or None)
    except CantStart as error:
        print_message(str(error))
        sys.exit(error.status)
