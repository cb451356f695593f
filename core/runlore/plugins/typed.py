"""Code that lies in no file: the cells of a notebook in the order in which they ran, or an argument of Python."""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from runlore._process import Part, process
from runlore._settings import present_folder
from runlore._standing import called
from runlore.hookspecs import CapturedFile
from runlore.plugins.git import is_installed
from runlore.plugins.modules import Loaded, script_file

TYPED = "typed"  # the artifact of code that lies in no file
CELLS = "cells.py"  # its file for a notebook, or IPython: all cells that ran, in order, each as often as it ran
ARGUMENT = "argument.py"  # its file for python -c
MAX_TYPED_BYTES = 4 << 20
# How programs start Python to run modules of theirs: multiprocessing, and execnet below pytest-xdist.
BOOTSTRAPS = ("from multiprocessing", "import sys;exec(eval(sys.stdin")
RUN = r"(?m)^[ \t]*%run[ \t]+(.+)$|run_line_magic\('run', (?:'([^'\n]+)'|\"([^\"\n]+)\")\)"
COMPILED = "<ipython-input-"  # begins the names of a terminal's cells among the lines that tracebacks show
LEAVING = ("exit()", "quit()")  # what ends a terminal is in no history
VARIABLE = r"\$(\w+)|\{(\w+)\}"
MAX_NOTEBOOK_BYTES = 16 << 20  # of a file that %run ran and that is looked into
UNKNOWN = "what ran is not known, and the run can't be reproduced"


class _History(Part):
    """The history of IPython's shell, which a terminal's lets go of before runs end at exit."""

    def __init__(self) -> None:
        self.found: Any = None


def typed_code() -> list[CapturedFile]:
    """Return the code that was typed; none where a script runs that lies in a file."""
    shell, file = _shell(), script_file()
    cells, given = _inputs(shell, "input_hist_raw"), _given(shell)
    if shell is not None and (cells or given or file is None):
        unknown = [name for name, item in _run_by(shell).items() if item is None]
        told = [_withheld(f"%run {name}", f"it is not there any more: {UNKNOWN}") for name in unknown]
        return _cells(given, cells, _count(shell), _outside(shell)) + told
    if file is not None and not file.startswith("<"):  # "<stdin>"
        gone = not os.path.isfile(file) and not is_installed(file)  # noqa: PTH113  # a pipe is no file
        return [_withheld(file, f"the script is no file any more: {UNKNOWN}")] if gone else []
    text = _argument()
    if text is not None and text.startswith(BOOTSTRAPS):
        return []
    if text is None:
        return [_withheld("the script", f"it was typed or read from a pipe: {UNKNOWN}")]
    return [CapturedFile(ARGUMENT, _content(text), "code", folder=TYPED)]


def run_files() -> list[Loaded]:
    """Return the scripts and notebooks that cells ran with %run, and what these ran: they are no modules for long.

    Before them come the files that IPython runs when it starts.
    """
    shell = _shell()
    if shell is None and process.part(_History).found is None:
        return []
    return [item for item in [*map(_file_of, _startup_files(shell)), *_run_by(shell).values()] if item is not None]


def is_notebook() -> bool:
    """Return True if cells may run after a run has begun."""
    return _shell() is not None


def notebook_file() -> str | None:
    """Return the path of the notebook whose cells run here; None where its front end does not tell.

    VS Code puts it into a variable of the cells, Jupyter's server into one of the environment.
    """
    shell = _shell()
    told = [getattr(shell, "user_ns", {}).get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")]
    return next((str(name) for name in told if str(name).endswith(".ipynb")), None) if shell is not None else None


def reloads() -> bool:
    """Return True if IPython loads modules again by itself when their files change (%autoreload)."""
    loaded = getattr(getattr(_shell(), "extension_manager", None), "loaded", ())
    return any(str(name).endswith("autoreload") for name in list(loaded))


def _shell() -> Any:
    """Return IPython's shell of this process, which Jupyter, VS Code, Colab and nbclient have too."""
    module = sys.modules.get("IPython.core.getipython")
    return module.get_ipython() if module is not None else None


def _inputs(shell: Any, kind: str) -> list[str]:
    """Return the cells that a shell has run, as they stood then; what comes first there is no cell."""
    part = process.part(_History)
    part.found = getattr(shell, "history_manager", None) or part.found
    return [str(cell) for cell in list(getattr(part.found, kind, ()))[1:]]


def _count(shell: Any) -> int:
    """Return how many cells the history should hold: `exit`, which ends all, and %paste before its code are in none."""
    import linecache  # loaded by IPython, and by no script

    is_over = getattr(shell, "history_manager", None) is None or bool(getattr(shell, "exit_now", False))
    compiled = ["".join(linecache.getlines(name)) for name in list(linecache.cache) if name.startswith(COMPILED)]
    pasting = sum("get_ipython().run_line_magic(" in text and "paste" in text for text in compiled)
    return int(getattr(shell, "execution_count", 1)) - 1 - is_over - pasting


def _outside(shell: Any) -> list[str]:
    """Return the code that ran as cells and is in no history: of `run_cell`, of a front end without `store_history`.

    One of the same text as a cell of the history can't be told from it.
    """
    import linecache

    known = {str(cell.splitlines()) for cell in [*_inputs(shell, "input_hist_parsed"), *_given(shell), *LEAVING]}
    names = list(getattr(getattr(shell, "compile", None), "_filename_map", ()))
    texts = [[line.removesuffix("\n") for line in linecache.getlines(str(name))] for name in names]
    return ["\n".join(lines) for lines in texts if lines and str(lines) not in known]


def _given(shell: Any) -> list[str]:
    """Return the code that IPython was given to run before any cell: by its settings, and behind -c."""
    application = getattr(shell, "parent", None)
    found = [*getattr(application, "exec_lines", ()), getattr(application, "code_to_run", "")]
    return [str(line) for line in found if line]


def _startup_files(shell: Any) -> list[str]:
    """Return the paths of the files that IPython ran when it started."""
    application = getattr(shell, "parent", None)
    if application is None:
        return []
    own = Path(str(getattr(getattr(shell, "profile_dir", None), "startup_dir", "")))
    found = sorted(str(path) for path in own.glob("*") if own.is_absolute() and path.suffix in (".py", ".ipy"))
    given = any(getattr(application, name, "") for name in ("file_to_run", "code_to_run", "module_to_run"))
    python = os.environ.get("PYTHONSTARTUP") if getattr(application, "exec_PYTHONSTARTUP", False) else None
    return [*([python] if python and not given else []), *found, *map(str, getattr(application, "exec_files", ()))]


def _run_by(shell: Any) -> dict[str, Loaded | None]:
    """Return the files that cells ran with %run by what was said there; None for one that is not to be found."""
    found: dict[str, Loaded | None] = {}
    values = getattr(shell, "user_ns", {})
    raw, named = (_inputs(shell, f"input_hist_{kind}") for kind in ("raw", "parsed"))  # parsed ones name all magics
    texts = [*_given(shell), *raw, *named]
    while texts:
        for name in _said_to_run(texts.pop(), values):
            if name not in found:
                item = found[name] = _file_of(name)
                texts += [] if item is None else _texts_of(item.path)
    return found


def _said_to_run(text: str, values: Mapping[str, object]) -> Iterable[str]:
    """Yield what %run is given in a cell: the first word that is no option, with the variables that it names."""
    import shlex  # no script has this to do

    def value_of(name: re.Match[str]) -> str:
        value = values.get(name[1] or name[2])
        return str(value) if isinstance(value, str | Path) else name[0]

    for match in re.finditer(RUN, text):
        with suppress(ValueError):
            words = shlex.split(re.sub(VARIABLE, value_of, next(filter(None, match.groups()))))
            if "-m" not in words:
                yield from [word for word in words if not word.startswith("-")][:1]


def _file_of(name: str) -> Loaded | None:
    folder = present_folder()
    for end in ("", ".py"):
        path = os.path.join(folder, os.path.expanduser(name + end))  # noqa: PTH111, PTH118  # names that may be no paths
        if os.path.isfile(path):  # noqa: PTH113
            return Loaded(os.path.normpath(path), os.path.realpath(path), Path(path).name)
    return None


def _texts_of(path: str) -> list[str]:
    """Return the code of a script or notebook, which may run others."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        with open(path, "rb") as file:  # noqa: PTH123
            text = file.read(MAX_NOTEBOOK_BYTES).decode("utf-8", "replace")
        if not path.endswith(".ipynb"):
            return [text]
        cells = json.loads(text)["cells"]
        return ["".join(cell["source"]) for cell in cells if cell.get("cell_type") == "code"]
    return []


def _cells(given: list[str], cells: list[str], count: int, outside: list[str]) -> list[CapturedFile]:
    """Return one file with what ran in a shell; tell where its cells are less than `count`.

    What ran `outside` of the history comes last, as its place among the others is not known.
    """
    found = []
    if len(cells) < count or not (cells or given):
        known = f"{len(cells)} of {max(count, 1)} are known"
        found.append(_withheld("cells of the notebook", f"IPython does not remember all of them, {known}: {UNKNOWN}"))
    parts = [f"# %% [given]\n{line}" for line in given] + [f"# %% [{n}]\n{cell}" for n, cell in enumerate(cells, 1)]
    parts += [f"# %% [outside of the history]\n{code}" for code in outside]
    text = "\n\n".join(parts)
    content = _content(f"{text}\n")
    if len(content) > MAX_TYPED_BYTES:
        found.append(_withheld(CELLS, f"more than {MAX_TYPED_BYTES >> 20} MiB: {UNKNOWN}"))
    elif parts:
        found.append(CapturedFile(CELLS, content, "code", folder=TYPED))
    return found


def _argument() -> str | None:
    """Return the code that followed `python -c`."""
    for flag, text in zip(called()[1:], called()[2:], strict=False):
        if flag.startswith("-") and not flag.startswith("--") and flag.endswith("c"):
            return text
        if not flag.startswith("-"):
            return None
    return None


def _content(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _withheld(name: str, why: str) -> CapturedFile:
    return CapturedFile(name, b"", "code", withheld=why)
