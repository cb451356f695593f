"""The folder that the process works in, now and when runlore was imported: a script may change it before its run."""

import os


def working_folder() -> str | None:
    """Return the folder that the process works in; None where somebody has removed it."""
    try:
        return os.getcwd()  # noqa: PTH109  # every import of runlore waits for this: pathlib is slow
    except OSError:
        return None


BEGAN_IN = working_folder()
