"""The runs that this process has open: which is the current one, and how all of them end with the process."""

import atexit
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runlore import _liveness, _marks
from runlore._ending import cause, end_event, status_of
from runlore._folder import Folder
from runlore._process import process
from runlore._run import Run, current, open_runs
from runlore.errors import NoCurrentRun, RunNotFound

MOST_ADDITIONS = 16  # that stay open
_additions: OrderedDict[str, Run] = OrderedDict()  # to runs that have ended, by id: the newest stay open
_adding = threading.RLock()


def open_run(
    folder: Folder,
    run_id: str,
    name: str,
    opening: dict[str, Any],
    *,
    last_steps: Mapping[str, int] | None = None,
    like: Run | None = None,
) -> Run:
    """A run with a file of its own, known to this process; `opening` lacks only what identifies the process."""
    identity = _liveness.process_identity()
    run = Run(folder, run_id, name, {"type": "open", "run": run_id, "name": name, **opening, **identity})
    if opening["mode"] == "off":
        return run
    if last_steps and run._writer is not None:
        run._writer.continue_steps(last_steps)
    if opening["mode"] != "attach":
        open_runs[run_id] = run
        _marks.leave_mark_on_sigterm(folder.marks, identity)
        _finish_with_child_process()
    run._companions.begin(like)
    return run


def attach(root: str, run_id: str) -> Run:
    """A run that goes on being written by its owner, opened for additions from this process."""
    from runlore._record import read_record

    folder = Folder(Path(root))
    record, writers = read_record(folder, run_id)
    if not writers.contents:
        raise RunNotFound(f"run {run_id} is not in {root!r} any more")
    steps = {key: tally.last_step for key, tally in record.tallies.items()}
    return open_run(folder, run_id, record.name, {"mode": "attach"}, last_steps=steps)


def addition_to(run: Run) -> Run:
    """A run that adds to one that has ended, open until others have been needed.

    Raises:
        RunNotFound: the run was removed.
    """
    with _adding:
        found = _additions.get(run.id)
        if found is None or found.ended or found._folder.root != run._folder.root:
            found = _additions[run.id] = attach(str(run._folder.root), run.id)
        _additions.move_to_end(run.id)
        if len(_additions) > MOST_ADDITIONS:
            _additions.popitem(last=False)[1].finish()
        return found


def close_addition_to(run: Run) -> None:
    """End what adds to a run, if anything does."""
    with _adding:
        found = _additions.pop(run.id, None)
        if found is not None:
            found.finish()


def attached(root: str, run_id: str) -> Run:
    """A run that came by pickle; one that records nothing where there is none to add to."""
    try:
        return attach(root, run_id)
    except RunNotFound:
        return open_run(Folder(Path(root)), run_id, "", {"mode": "off"})


def current_run() -> Run | None:
    """The innermost run open in this context; where there is none, the only run that the process has open."""
    run = context_run()
    if run is not None:
        return run
    runs = list(open_runs.values())
    return runs[0] if len(runs) == 1 else None


def context_run() -> Run | None:
    """The innermost run open in this very context (thread or task)."""
    return next((run for run in reversed(current.get()) if not run._ended), None)


def require_current_run() -> Run:
    """The current run.

    Raises:
        NoCurrentRun: none is open.
    """
    run = current_run()
    if run is None:
        raise NoCurrentRun("no run is open here: start one with `with runlore.start_run():`, or log on a run object")
    return run


def _finish_at_exit() -> None:
    """End what is still open: failed where an uncaught exception ends the process."""
    error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)  # interactive errors are no end
    error = error or cause(sys.exception())  # of a child process, which runs this while its exception goes by
    if error is None and _marks.was_told_to_end():
        error = SystemExit("SIGTERM")
    for run in list(open_runs.values()):
        if run._opening["pid"] == os.getpid():
            unfinished = error is None and run.in_fit
            run.finish("interrupted" if unfinished else status_of(error), error)
    for addition in list(_additions.values()):
        addition.finish()
    _marks.forget_mark()


def end_from_outside(root: str, run_id: str, error: BaseException) -> None:
    """Tell how a run ended whose own process could not; where it could, its own word counts."""
    run = attach(root, run_id)
    if run._writer is not None:
        run._writer.finish(dict(process.plugins().rewrite_event(end_event(status_of(error), error))))


def _finish_with_child_process() -> None:
    """End runs of a multiprocessing child when it returns: atexit does not run there."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and sys.modules["multiprocessing.process"].parent_process() is not None:
        util.Finalize(None, _finish_at_exit, exitpriority=0)


def _forget_runs() -> None:
    global _adding
    _adding = threading.RLock()  # another thread of the parent may have held it
    open_runs.clear()
    _additions.clear()
    process.forget()


atexit.register(_finish_at_exit)
os.register_at_fork(after_in_child=_forget_runs)
