"""Runs pytest on several folders, each in a forked process: `python trial.py folder statement folder statement …`.

pytest and runlore are imported once; a broken integration leaves its traces in its own process only.
"""

import os
import sys
from pathlib import Path

import pytest

import runlore.guest.additions
import runlore.guest.wrapping
import runlore.store.store  # noqa: F401  # no module of runlore.testing, whose asserts pytest rewrites

AT_ONCE = 2


def main(arguments: list[str]) -> None:
    running: set[int] = set()
    for folder, statement in zip(arguments[::2], arguments[1::2], strict=True):
        if len(running) >= AT_ONCE:
            running.discard(os.wait()[0])
        pid = os.fork()
        if pid == 0:
            os._exit(attempt(Path(folder), statement))
        running.add(pid)
    while running:
        running.discard(os.wait()[0])


def attempt(folder: Path, statement: str) -> int:
    with (folder / "output.txt").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(folder)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.path.insert(0, str(folder))
    status = pytest.main(["-q", "-rA", "-p", "no:cacheprovider", f"--basetemp={folder / 'tmp'}", "-k", statement])
    sys.stdout.flush()
    return int(status)


main(sys.argv[1:])
