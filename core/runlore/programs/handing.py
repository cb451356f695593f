"""Complete the environment of a program that a Python starts, where it was made anew: a Python there is to join, too.

Imported only where such a program is started without what lets Pythons join.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from runlore._startup import JOINING, PROGRAM, WATCHED

PATH = "PYTHONPATH"
LINE_BYTES = 256  # of a first line that tells what executes a script


def completed(program: Any, environment: Mapping[Any, Any], carried: Mapping[str, str]) -> Mapping[Any, Any]:
    """Return an environment with what this Python was `carried` by; as it is where it is meant for no Python of ours.

    One that has inherited ours but for the path gets that alone, whatever it is for: a shell, say, that starts Pythons.
    One that holds nothing of ours is left alone but for a Python, of which `program` is the name; None for a shell.
    """
    found = {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
    if JOINING in found.get(PATH, "").split(os.pathsep):
        return environment
    if PROGRAM not in found and WATCHED not in found:
        if program is None or not _is_python(os.fsdecode(program), found):
            return environment
        found = {**carried, **found}
    found[PATH] = os.pathsep.join(filter(None, (JOINING, found.get(PATH))))
    return found


def _is_python(program: str, environment: Mapping[str, str]) -> bool:
    """Return True for some Python, by its name, and for a script that one executes."""
    if program.rpartition(os.sep)[2].startswith(("python", "pypy")) or program == sys.executable:
        return True
    folders = [""] if os.sep in program else os.get_exec_path(dict(environment))
    for folder in folders:
        try:
            with open(os.path.join(folder, program), "rb") as file:  # noqa: PTH118, PTH123  # pathlib takes long to import
                line = file.readline(LINE_BYTES)
        except OSError:
            continue
        return line.startswith(b"#!") and b"python" in line
    return False
