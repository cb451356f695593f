"""Arguments and folder of the process, now and when runlore was imported: a script may change them before its run."""

import os
import sys


def working_folder() -> str | None:
    """Return the folder that the process works in; None where somebody has removed it."""
    try:
        return os.getcwd()  # noqa: PTH109  # every import of runlore waits for this: pathlib is slow
    except OSError:
        return None


def script_arguments() -> list[str]:
    """Return `sys.argv` as texts, whatever a program has put there; empty where Python is embedded and has none."""
    return [str(part) for part in getattr(sys, "argv", ())]


def told_program() -> tuple[str, str, str] | None:
    """Return what `runlore run` told this process: id of the program's run, process that waits for it, store's folder.

    None where it is no part of such a program.
    """
    found = os.environ.get(PROGRAM, "").split(" ", 2)
    return (found[0], found[1], found[2]) if len(found) == 3 else None


PROGRAM = "RUNLORE_PROGRAM"  # the variable that tells it
WATCHED = "RUNLORE_WATCHED"  # the one with the modules at whose import a Python joins the run
BEGAN_IN = working_folder()
JOINING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "inside")  # noqa: PTH100, PTH118, PTH120  # for PYTHONPATH: Pythons that `runlore run` has started join its run
