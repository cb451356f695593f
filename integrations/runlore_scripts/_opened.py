"""Files that the user's own code opens by itself, whatever it reads there or writes into them."""

import builtins
import io
import os
import stat
import sys
from collections.abc import Mapping
from typing import Any

from runlore.guest.files.watch import read, wrote
from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import argument

THROUGH = (  # of a path, which call its `open`; and objects that open a file as the user makes them: `gzip`, `zipfile`
    "read_text", "read_bytes", "write_text", "write_bytes", "__init__",
)  # fmt: skip
WRITING = frozenset("wax+")
OF_THE_SYSTEM = ("/proc/", "/sys/", "/dev/")


def follow(wrappers: Wrappers) -> None:
    """Follow `open`, also by way of a path, of `codecs` and of other functions that bear its name."""
    wrappers.follow(builtins, "open", _opened, also=[io], through=THROUGH)


def _opened(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    file = argument(args, kwargs, 0, "file")
    if not isinstance(file, str | os.PathLike) or not stat.S_ISREG(os.fstat(result.fileno()).st_mode):
        return
    path = str(os.path.abspath(file))  # noqa: PTH100  # a string: called for each file
    if path.startswith(OF_THE_SYSTEM) or (path.endswith(".py") and _is_code(path)):
        return
    if WRITING.isdisjoint(str(argument(args, kwargs, 1, "mode") or "r")):
        read(file, "open")
    else:
        wrote(file, "data")


def _is_code(path: str) -> bool:
    """Return True for the source of a module that is loaded: Python shows a line of it with a warning, say."""
    return any(getattr(module, "__file__", None) == path for module in list(sys.modules.values()))
