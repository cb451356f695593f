"""`%load_ext runlore`: what a notebook trains is recorded, as a run for each training or one for the whole notebook."""

from pathlib import Path
from typing import Any

from runlore import api
from runlore._process import Part, process
from runlore._settings import flag
from runlore._startup import told_program
from runlore.plugins.autolog import Autolog, autolog, wanted_by_setting
from runlore.plugins.typed import notebook_file
from runlore.recording.run import Run

MAGIC = "runlore"
WORDS = "write `%runlore notebook NAME` for one run of the notebook, or `%runlore trainings` for one of each training"


class _Notebook(Part):
    """Holds what the extension has switched on, and the run of the notebook itself."""

    inherited = True

    def __init__(self) -> None:
        self.on: Autolog | None = None
        self.run: Run | None = None


def load_ipython_extension(shell: Any) -> None:
    """Record what the notebook trains: all frameworks, unless RUNLORE_AUTOLOG names some. IPython calls this.

    Raises:
        SettingError: RUNLORE_AUTOLOG names what no plugin records, or RUNLORE_NOTEBOOK is neither on nor off.
    """
    part, by_notebook = process.part(_Notebook), flag("notebook")
    wanted = wanted_by_setting("1")
    if part.on is None and wanted:
        part.on = autolog(*wanted)
    shell.register_magic_function(_magic, "line", MAGIC)
    if by_notebook:
        _begin(None)


def unload_ipython_extension(shell: Any) -> None:
    """Switch off what loading has switched on, and end the notebook's run. IPython calls this."""
    part = process.part(_Notebook)
    on, part.on = part.on, None
    if on is not None:
        with on:
            pass  # what was on before stays
    _end()
    shell.magics_manager.magics["line"].pop(MAGIC, None)


def _magic(line: str) -> Run | None:
    """Choose how a notebook is recorded: `%runlore notebook [NAME]` or `%runlore trainings`."""
    word, _, name = line.strip().partition(" ")
    if word == "notebook":
        return _begin(name.strip() or None)
    if word == "trainings" and not name.strip():
        _end()
        return None
    from IPython.core.error import UsageError  # it calls us, so it is there

    raise UsageError(f"%runlore {line.strip()!r} is not known: {WORDS}")


def _begin(name: str | None) -> Run | None:
    """Start the run that holds what the notebook trains from now on; under `runlore run` there is one."""
    part = process.part(_Notebook)
    if told_program() is not None:
        return api.current_run()
    if part.run is None or part.run.ended:
        file = notebook_file()
        part.run = api.group(name or (Path(file).stem if file is not None else None))
    return part.run


def _end() -> None:
    part = process.part(_Notebook)
    run, part.run = part.run, None
    if run is not None:
        run.finish()
