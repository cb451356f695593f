"""`runlore run`: record a program that has no line of ours."""

import os
import shutil
import sys
from pathlib import Path

import click

from runlore.cli.options import store_option
from runlore.cli.printing import print_message
from runlore.errors import SettingError
from runlore.programs.printed import wanted_forms
from runlore.programs.recorded import record, start_program
from runlore.programs.supervising import NOT_EXECUTABLE, NOT_FOUND, end_like
from runlore.recording.run import Run

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
    try:
        forms = wanted_forms(parse_output, patterns)
    except SettingError as error:
        raise click.UsageError(str(error)) from None
    words = _words(called)

    def opened() -> Run:
        return start_program(store, name=name, experiment=experiment, tags=dict(tags) or None, called=called)

    try:
        outcome = record(words, opened, forms)
    except OSError as error:
        print_message(f"{called[0]!r} can't be started: {error.strerror or error}")
        sys.exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)
    end_like(outcome)


def _words(called: list[str]) -> list[str]:
    """Return what is executed: Python itself for a script of it.

    Exits as a shell does where there is no such program.
    """
    name = called[0]
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return [sys.executable, "-m", "runlore.programs.notebook", *called]
    if name == "-m" or (path.is_file() and _is_script(path)):
        return [sys.executable, *called]
    if path.is_dir() and (path / "__main__.py").is_file():
        return [sys.executable, *called]
    if shutil.which(name) is not None:
        return called
    if name.startswith("-"):
        raise click.UsageError(
            f"{name!r} is no option of ours; one of Python's own: runlore run python {name} train.py"
        )
    is_there = path.exists()
    print_message(f"{name!r} can't be executed" if is_there else f"there is no program and no script {name!r}")
    sys.exit(NOT_EXECUTABLE if is_there else NOT_FOUND)


def _is_script(path: Path) -> bool:
    """Return True for a file that Python can run and that need not be executable."""
    if path.suffix in (".py", ".pyw", ".pyc", ".pyz"):
        return True
    try:
        with path.open("rb") as file:
            first = file.read(256)
    except OSError:
        return False
    if first.startswith(b"PK\x03\x04"):
        return True
    return first.startswith(b"#!") and b"python" in first.partition(b"\n")[0] and not os.access(path, os.X_OK)
