"""The current run: the one that `runlore.log_metrics` and the like write to."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

from runlore._process import Part, process
from runlore._startup import told_program
from runlore._warnings import report
from runlore.errors import NoCurrentRun, RunloreError
from runlore.log.folder import Folder
from runlore.recording.open_runs import OpenRuns, entered, started

if TYPE_CHECKING:
    from runlore.recording.run import Run


class ProgramsRun(Part):
    """The run of the program that `runlore run` has started and this process belongs to, opened at first need."""

    inherited = True
    rank = 3  # behind the runs

    def __init__(self) -> None:
        self._told = told_program()
        self._is_known = self._told is None
        self._run: Run | None = None
        self._lock = threading.RLock()  # threads may train at once, and each asks

    def forget(self) -> None:
        """Make a lock of this process's own: another thread of the parent may have held it."""
        self._lock = threading.RLock()

    def end(self) -> None:
        """Close it."""
        if self._run is not None:
            self._run.finish()

    def get(self) -> "Run | None":
        """Return the run, opened for additions; None without one, and where it can't be opened any more."""
        if not self._is_known:
            with self._lock:
                told, self._told = self._told, None
                if told is not None:
                    self._run = _attached(told)
                    self._is_known = True
        return self._run


def _attached(told: tuple[str, str, str]) -> "Run | None":
    from runlore.recording.run import attach  # late: each Python of a program imports this file

    try:
        run = attach(Folder(Path(told[2])), told[0])
    except (OSError, RunloreError) as error:  # its store may be gone: what is trained goes on by itself
        report(f"what this process trains can't be put below the run of its program: {error}")
        return None
    run.fit.is_group = True
    return run


def current_run() -> "Run | None":
    """Return the run of the innermost block of this context; else the newest one that was started in it and is open.

    Where there is none either, the only run that the process has open: of those that users started, if there are any.
    Under `runlore run` the program's is the last resort. A context is a thread or a task.
    """
    return context_run() or cast("Run | None", process.part(OpenRuns).only()) or process.part(ProgramsRun).get()


def is_any_open() -> bool:
    """Return False where there is no current run; asked at calls of a script that must cost nothing then."""
    return bool(process.part(OpenRuns).count or entered() or process.part(ProgramsRun).get())


def context_run() -> "Run | None":
    """Return the innermost run open in this very context; where it is in no block, the newest that was started here."""
    innermost = next((run for run in reversed(entered()) if not run.ended), None)
    return cast("Run | None", innermost or next(reversed(started()), None))


def users_run() -> "Run | None":
    """Return the run that a fit belongs to: as `current_run`, but no run of another fit."""
    found = context_run() or cast("Run | None", process.part(OpenRuns).only_of_users())
    return found or process.part(ProgramsRun).get()


def require_current_run() -> "Run":
    """Return the current run; behind the end of all runs at exit the one that was open, which tells that it has ended.

    Raises:
        NoCurrentRun: none is open.
    """
    run = current_run() or cast("Run | None", process.part(OpenRuns).left_open)
    if run is None:
        count = process.part(OpenRuns).count
        others = f", and {count} are open elsewhere" if count else ""
        raise NoCurrentRun(
            f"no run is open here{others}: start one with `with runlore.start_run():`, or log on a run object"
        )
    return run
