"""Run a script or a module as Python would, with autolog switched on: `runlore run` starts Python with this."""

import runpy
import sys
from pathlib import Path

from runlore.plugins.autolog import autolog, wanted_by_setting


def main(arguments: list[str]) -> None:
    """Run a script, or behind "-m" a module, with the arguments that follow it."""
    wanted = wanted_by_setting()
    if wanted:
        autolog(*wanted)
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
