"""The runs that this process has open, in the order they were opened, and how they end with the process."""

import sys
from contextvars import ContextVar, Token
from typing import Generic, Protocol, TypeVar

from runlore._process import Part, process
from runlore.log import sigterm
from runlore.recording.ending import cause


class OpenRun(Protocol):
    """A run as this module needs it."""

    id: str

    @property
    def ended(self) -> bool:
        """Whether the run was finished."""

    def end_with_process(self, error: BaseException | None) -> None:
        """Finish the run because the process ends, by `error` or normally."""


R = TypeVar("R", bound=OpenRun)
_entered: ContextVar[tuple[OpenRun, ...]] = ContextVar("runlore_current", default=())  # innermost last


class OpenRuns(Part, Generic[R]):
    """Knows the open runs of this process by id. They end at exit: failed where an uncaught exception ends Python."""

    rank = 2

    def __init__(self) -> None:
        self._runs: dict[str, R] = {}

    def add(self, run: R) -> None:
        """Know a run that was opened."""
        self._runs[run.id] = run
        self._end_with_child_process()

    def remove(self, run: R) -> None:
        """Forget a run that has ended."""
        self._runs.pop(run.id, None)
        _entered.set(tuple(item for item in _entered.get() if item is not run))

    def only(self) -> R | None:
        """Return the only run that the process has open; None where there is none, or several."""
        runs = list(self._runs.values())
        return runs[0] if len(runs) == 1 else None

    def end(self) -> None:
        """Finish what is still open."""
        error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)  # interactive errors are no end
        error = error or cause(sys.exception())  # of a child process, which runs this while its exception goes by
        if error is None and sigterm.was_told_to_end():
            error = SystemExit("SIGTERM")
        for run in list(self._runs.values()):
            run.end_with_process(error)

    def _end_with_child_process(self) -> None:
        """End runs of a multiprocessing child when it returns: atexit does not run there."""
        util = sys.modules.get("multiprocessing.util")
        if util is not None and sys.modules["multiprocessing.process"].parent_process() is not None:
            util.Finalize(None, process.end, exitpriority=0)


def enter(run: OpenRun) -> Token[tuple[OpenRun, ...]]:
    """Make a run the innermost of this context (thread or task) until `leave`."""
    return _entered.set((*_entered.get(), run))


def leave(token: Token[tuple[OpenRun, ...]]) -> None:
    """Put back what was the innermost run before `enter`."""
    _entered.reset(token)


def entered() -> tuple[OpenRun, ...]:
    """Return the runs that this context has entered, the innermost last; some may have ended."""
    return _entered.get()
