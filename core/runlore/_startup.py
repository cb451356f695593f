"""Where the process worked when runlore was imported, which a script may leave before its first run."""

import os

try:
    BEGAN_IN: str | None = os.getcwd()  # noqa: PTH109  # every import of runlore waits for this: pathlib is slow
except OSError:  # somebody removed it
    BEGAN_IN = None
