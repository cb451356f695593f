"""`runlore run`: record a script that has no line of ours."""

import os
import re
import shutil
import sys
from pathlib import Path

import click

START = "python -m runlore run train.py"
LAUNCHERS = {  # what starts Python itself, and takes the name of a module
    "torchrun": "torchrun --nproc-per-node 2 -m runlore run train.py",
    "accelerate": "accelerate launch -m runlore run train.py",
    "deepspeed": "deepspeed --module runlore run train.py",
}
PYTHON = re.compile(r"(?:.*/)?(?:python|pypy)[\d.]*")
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
    if module is None:
        _check(command[0])
    os.environ.setdefault("RUNLORE_AUTOLOG", "1")
    target = [*(["-m", module] if module is not None else []), *command]
    os.execv(sys.executable, [sys.executable, "-m", "runlore._script", *target])


def _check(name: str) -> None:
    """Raise an error that tells the way out where the first word names no Python script."""
    told = _kind(name)
    if told is not None:
        raise click.UsageError(told)


def _kind(name: str) -> str | None:
    """Return what is wrong with a script, and the way out; None for what Python can run."""
    path = Path(name)
    if PYTHON.fullmatch(name):
        return f"leave out {name!r}: runlore run train.py. It uses the Python that it is installed in, {sys.executable}"
    if path.is_file():
        first = _first_bytes(path)
        if first.startswith(b"#!") and b"python" not in first.partition(b"\n")[0]:
            return (
                f"{name!r} is a shell script, and only Python scripts can be run so: "
                "write 'runlore run train.py' into it, in place of 'python train.py'"
            )
        if first.startswith(b"\x7fELF"):
            return f"{name!r} is a program, and only Python scripts can be run so: let it start {START}"
        return None
    if name.startswith("-"):
        return f"{name!r} is an option of Python's own: python {name} -m runlore run train.py"
    if path.is_dir():
        return f"{name!r} is a folder: name a script in it, or a module behind -m"
    if name in LAUNCHERS or (os.sep not in name and shutil.which(name) is not None):
        return (
            f"{name!r} is a program, and only Python scripts can be run so: let it start {START}, "
            f"in every process: {LAUNCHERS.get(name, f'{name} {START}')}"
        )
    return f"there is no script {name!r}"


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(256)
    except OSError:
        return b""
