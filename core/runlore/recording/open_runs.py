"""The runs that this process has open, in the order they were opened, and how they end with the process."""

import sys
from contextvars import ContextVar, Token
from typing import Protocol

from runlore._process import Part
from runlore.log import sigterm
from runlore.recording.ending import cause


class OpenRun(Protocol):
    """A run as this module needs it."""

    id: str

    @property
    def ended(self) -> bool:
        """True once the run was finished."""

    def end_with_process(self, error: BaseException | None) -> None:
        """Finish the run because the process ends, by `error` or normally."""


_entered: ContextVar[tuple[OpenRun, ...]] = ContextVar("runlore_current", default=())  # innermost last


class OpenRuns(Part):
    """Knows the open runs of this process by id. They end at exit: failed where an uncaught exception ends Python."""

    rank = 2

    def __init__(self) -> None:
        self._runs: dict[str, OpenRun] = {}

    def add(self, run: OpenRun) -> None:
        """Know a run that was opened."""
        self._runs[run.id] = run

    def remove(self, run: OpenRun) -> None:
        """Forget a run that has ended."""
        if self._runs.get(run.id) is run:  # else it was attached to one that is still open
            del self._runs[run.id]
        _entered.set(tuple(item for item in _entered.get() if item is not run))

    def only(self) -> OpenRun | None:
        """Return the only run that the process has open; None where there is none, or several."""
        runs = list(self._runs.values())
        return runs[0] if len(runs) == 1 else None

    def end(self) -> None:
        """Finish the runs that are still open."""
        error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)  # interactive errors are no end
        error = error or cause(sys.exception())  # of a child process, which runs this while its exception propagates
        if error is None and sigterm.was_told_to_end():
            error = SystemExit("SIGTERM")
        for run in list(self._runs.values()):
            run.end_with_process(error)


def enter(run: OpenRun) -> Token[tuple[OpenRun, ...]]:
    """Make a run the innermost of this context (thread or task) until `leave`."""
    return _entered.set((*_entered.get(), run))


def leave(token: Token[tuple[OpenRun, ...]]) -> None:
    """Restore the runs of this context from before `enter`."""
    _entered.reset(token)


def entered() -> tuple[OpenRun, ...]:
    """Return the runs that this context has entered, the innermost last; some may have ended."""
    return _entered.get()
