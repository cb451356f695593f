"""Ended runs that were opened again, to add to them: the newest stay open."""

import threading
from collections import OrderedDict

from runlore._process import Part, process
from runlore.recording.run import Run, attach

MAX_OPEN = 16


class OpenAdditions(Part):
    """The runs opened for additions, by id. Threads may share it."""

    rank = 3

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def to(self, run: Run) -> Run:
        """Return an attached run that adds to an ended one; see `addition_to`."""
        with self._lock:
            found = self._runs.get(run.id)
            if found is None or found.ended or found.folder.root != run.folder.root:
                found = self._runs[run.id] = attach(str(run.folder.root), run.id)
            self._runs.move_to_end(run.id)
            if len(self._runs) > MAX_OPEN:
                self._runs.popitem(last=False)[1].finish()
            return found

    def close(self, run: Run) -> None:
        """Finish what adds to a run, if anything does."""
        with self._lock:
            found = self._runs.pop(run.id, None)
            if found is not None:
                found.finish()

    def end(self) -> None:
        """Finish all of them."""
        for run in list(self._runs.values()):
            run.finish()


def addition_to(run: Run) -> Run:
    """Return the run itself while it is open; afterwards an attached run, open until 16 others have been needed.

    Raises:
        RunNotFound: the run was removed.
    """
    return process.part(OpenAdditions).to(run) if run.ended else run


def close_addition_to(run: Run) -> None:
    """Finish what was opened to add to a run; nothing more is added for now."""
    process.part(OpenAdditions).close(run)
