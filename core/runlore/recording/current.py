"""The current run: the one that `runlore.log_metrics` and the like write to."""

from typing import cast

from runlore._process import process
from runlore.errors import NoCurrentRun
from runlore.recording.open_runs import OpenRuns, entered
from runlore.recording.run import Run


def current_run() -> Run | None:
    """Return the innermost run open in this context; where there is none, the only run that the process has open."""
    return context_run() or cast(Run | None, process.part(OpenRuns).only())


def context_run() -> Run | None:
    """Return the innermost run open in this very context (thread or task)."""
    return next((cast(Run, run) for run in reversed(entered()) if not run.ended), None)


def require_current_run() -> Run:
    """Return the current run.

    Raises:
        NoCurrentRun: none is open.
    """
    run = current_run()
    if run is None:
        raise NoCurrentRun("no run is open here: start one with `with runlore.start_run():`, or log on a run object")
    return run
