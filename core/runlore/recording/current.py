"""The current run: the one that `runlore.log_metrics` and the like write to."""

from typing import cast

from runlore._process import process
from runlore.errors import NoCurrentRun
from runlore.recording.open_runs import OpenRuns, entered, started
from runlore.recording.run import Run


def current_run() -> Run | None:
    """Return the run of the innermost block of this context; else the newest one that was started in it and is open.

    Where there is none either, the only run that the process has open: of those that users started, if there are any.
    A context is a thread or a task.
    """
    return context_run() or cast(Run | None, process.part(OpenRuns).only())


def context_run() -> Run | None:
    """Return the innermost run open in this very context; where it is in no block, the newest that was started here."""
    innermost = next((run for run in reversed(entered()) if not run.ended), None)
    return cast(Run | None, innermost or next(reversed(started()), None))


def users_run() -> Run | None:
    """Return the run that a fit belongs to: as `current_run`, but no run of another fit."""
    return context_run() or cast(Run | None, process.part(OpenRuns).only_of_users())


def require_current_run() -> Run:
    """Return the current run.

    Raises:
        NoCurrentRun: none is open.
    """
    run = current_run()
    if run is None:
        count = process.part(OpenRuns).count
        others = f", and {count} are open elsewhere" if count else ""
        raise NoCurrentRun(
            f"no run is open here{others}: start one with `with runlore.start_run():`, or log on a run object"
        )
    return run
