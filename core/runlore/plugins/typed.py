"""Code that lies in no file: the cells of a notebook in the order in which they ran, or an argument of Python."""

import os
import sys
from typing import Any

from runlore.hookspecs import CapturedFile
from runlore.plugins.git import is_installed
from runlore.plugins.modules import script_file

TYPED = "typed"  # the artifact of code that lies in no file
CELLS = "cells.py"  # its file for a notebook, or IPython: all cells that ran, in order, each as often as it ran
ARGUMENT = "argument.py"  # its file for python -c
MAX_TYPED_BYTES = 4 << 20
# How programs start Python to run modules of theirs: multiprocessing, and execnet below pytest-xdist.
BOOTSTRAPS = ("from multiprocessing", "import sys;exec(eval(sys.stdin")
UNKNOWN = "what ran is not known, and the run can't be reproduced"


def typed_code() -> list[CapturedFile]:
    """Return the code that was typed; none where a script runs that lies in a file."""
    shell, file = _shell(), script_file()
    cells = _history(shell)
    if shell is not None and (cells or file is None):
        return _cells(cells, int(getattr(shell, "execution_count", 0)))
    if file is not None and not file.startswith("<"):  # "<stdin>"
        gone = not os.path.isfile(file) and not is_installed(file)  # noqa: PTH113  # a pipe is no file
        return [_withheld(file, f"the script is no file any more: {UNKNOWN}")] if gone else []
    text = _argument()
    if text is not None and text.startswith(BOOTSTRAPS):
        return []
    if text is None:
        return [_withheld("the script", f"it was typed or read from a pipe: {UNKNOWN}")]
    return [CapturedFile(ARGUMENT, _content(text), "code", folder=TYPED)]


def is_notebook() -> bool:
    """Return True if cells may run after a run has begun."""
    return _shell() is not None


def _shell() -> Any:
    """Return IPython's shell of this process, which Jupyter, VS Code, Colab and nbclient have too."""
    module = sys.modules.get("IPython.core.getipython")
    return module.get_ipython() if module is not None else None


def _history(shell: Any) -> list[str]:
    """Return the cells that a shell has run, as they stood then; what comes first there is no cell."""
    history = getattr(shell, "history_manager", None)
    return [str(cell) for cell in list(getattr(history, "input_hist_raw", ()))[1:]]


def _cells(cells: list[str], count: int) -> list[CapturedFile]:
    """Return one file with the cells that have run; tell where they are less than `count`, the present one included."""
    found = []
    if len(cells) < count - 1 or not cells:
        known = f"{len(cells)} of {max(count, 1)} are known"
        found.append(_withheld("cells of the notebook", f"IPython does not remember all of them, {known}: {UNKNOWN}"))
    text = "\n\n".join(f"# %% [{number}]\n{cell}" for number, cell in enumerate(cells, 1))
    content = _content(f"{text}\n")
    if len(content) > MAX_TYPED_BYTES:
        found.append(_withheld(CELLS, f"more than {MAX_TYPED_BYTES >> 20} MiB: {UNKNOWN}"))
    elif cells:
        found.append(CapturedFile(CELLS, content, "code", folder=TYPED))
    return found


def _argument() -> str | None:
    """Return the code that followed `python -c`."""
    for flag, text in zip(sys.orig_argv[1:], sys.orig_argv[2:], strict=False):
        if flag.startswith("-") and not flag.startswith("--") and flag.endswith("c"):
            return text
        if not flag.startswith("-"):
            return None
    return None


def _content(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _withheld(name: str, why: str) -> CapturedFile:
    return CapturedFile(name, b"", "code", withheld=why)
