"""Runs that were attached to, to add to them: the newest stay open."""

import threading
from collections import OrderedDict

from runlore._process import Part, process
from runlore.log.folder import Folder
from runlore.recording.run import Run, attach

MAX_OPEN = 16  # runs


class OpenAdditions(Part):
    """The attached runs by id. Threads may share it."""

    rank = 3

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def to(self, folder: Folder, run_id: str) -> Run:
        """Return an attached run, opened now where there is none; see `addition`."""
        with self._lock:
            found = self._runs.get(run_id)
            if found is None or found.ended or found.folder.root != folder.root:
                found = self._runs[run_id] = attach(folder, run_id)
            self._runs.move_to_end(run_id)
            if len(self._runs) > MAX_OPEN:
                self._runs.popitem(last=False)[1].finish()
            return found

    def close(self, run: Run) -> None:
        """Finish the attached run that adds to a run, if there is one."""
        with self._lock:
            found = self._runs.pop(run.id, None)
            if found is not None:
                found.finish()

    def end(self) -> None:
        """Finish all attached runs."""
        for run in list(self._runs.values()):
            run.finish()


def addition(folder: Folder, run_id: str) -> Run:
    """Return an attached run, shared by all who add to that run, and open until 16 others have been needed.

    Raises:
        RunNotFound: the run was removed.
    """
    return process.part(OpenAdditions).to(folder, run_id)


def addition_to(run: Run) -> Run:
    """Return the run itself while it is open; afterwards an attached run, see `addition`.

    Raises:
        RunNotFound: the run was removed.
    """
    return addition(run.folder, run.id) if run.ended else run


def close_addition_to(run: Run) -> None:
    """Finish the attached run that adds to a run; a later addition opens another one."""
    process.part(OpenAdditions).close(run)
