"""The runs that this process has open, in the order they were opened, and how they end with the process."""

import sys
import weakref
from collections.abc import Iterable
from contextvars import ContextVar, Token
from typing import Protocol

from runlore._process import Part, process
from runlore.log import marks
from runlore.recording.ending import cause
from runlore.recording.ranks import Forked


class OpenRun(Protocol):
    """A run as this module needs it."""

    id: str

    @property
    def ended(self) -> bool:
        """True once the run was finished."""

    def end_with_process(self, error: BaseException | None) -> None:
        """Finish the run because the process ends, by `error` or normally."""


_entered: ContextVar[tuple[OpenRun, ...]] = ContextVar("runlore_current", default=())  # innermost last
_started: ContextVar[tuple[OpenRun, ...]] = ContextVar("runlore_started", default=())  # by users, newest last


class OpenRuns(Part):
    """Knows the open runs of this process by id. They end at exit: failed where an uncaught exception ends Python."""

    rank = 2

    def __init__(self) -> None:
        self._runs: dict[str, OpenRun] = {}
        self._silent: weakref.WeakSet[OpenRun] = weakref.WeakSet()  # of users, and record nothing
        self._of_users: dict[str, frozenset[str]] = {}  # by id, with the runs of the blocks that it was entered in
        self.left_open: OpenRun | None = None  # the run that users had open when all ended with the process

    def forget(self) -> None:
        """Note in a forked child whether it was forked beside the run of a fit."""
        forked = process.part(Forked)
        forked.in_training = forked.in_training or not self._runs.keys() <= self._of_users.keys()

    def add(self, run: OpenRun) -> None:
        """Know a run that was opened."""
        self._runs[run.id] = run

    def start(self, run: OpenRun) -> None:
        """Know that a user has started a run in this context; it may be one that records nothing."""
        _started.set((*_open(_started.get()), run))
        if run.id in self._runs:
            self._of_users[run.id] = frozenset({run.id})
        else:
            self._silent.add(run)

    def enter(self, run: OpenRun) -> None:
        """Know that the block of a user's run was entered in this context."""
        if run.id in self._of_users:
            self._of_users[run.id] = frozenset(item.id for item in _entered.get())

    def get(self, run_id: str) -> OpenRun | None:
        """Return the open run with this id; None where there is none."""
        return self._runs.get(run_id)

    def remove(self, run: OpenRun) -> None:
        """Forget a run that has ended."""
        if self._runs.get(run.id) is run:  # else it was attached to one that is still open
            del self._runs[run.id]
            self._of_users.pop(run.id, None)
        for known in (_entered, _started):
            known.set(tuple(item for item in known.get() if item is not run))

    def only(self) -> OpenRun | None:
        """Return the only run that the process has open; None where there is none, or several.

        The runs that users started come before those of fits. Where none is recorded, any that records nothing will do.
        """
        if self._of_users:
            return self.only_of_users()
        runs = list(self._runs.values()) or [*_open(list(self._silent))][:1]
        return runs[0] if len(runs) == 1 else None

    def only_of_users(self) -> OpenRun | None:
        """Return the only open and recorded run that a user started; of blocks within each other, the innermost."""
        for run_id, nest in reversed([*self._of_users.items()]):
            if nest.issuperset(self._of_users):
                return self._runs.get(run_id)
        return None

    @property
    def all(self) -> tuple[OpenRun, ...]:
        """The runs that are open and recorded."""
        return tuple(self._runs.values())

    @property
    def count(self) -> int:
        """The number of runs that are open and recorded."""
        return len(self._runs)

    def end(self) -> None:
        """Finish the runs that are still open."""
        error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)  # interactive errors are no end
        error = error or cause(sys.exception())  # of a child process, which runs this while its exception propagates
        if error is None and marks.was_told_to_end():
            error = SystemExit("the process was told to end")
        self.left_open = self.left_open or next(map(self.get, reversed([*self._of_users])), None)
        for run in list(self._runs.values()):
            run.end_with_process(error)


def stand(run: OpenRun, is_open: bool) -> None:
    """Make a run one that was started in this context, as if by a user, the newest; or take that back."""
    others = tuple(item for item in _open(_started.get()) if item is not run)
    _started.set((*others, run) if is_open else others)


def enter(run: OpenRun) -> Token[tuple[OpenRun, ...]]:
    """Make a run the innermost of this context (thread or task) until `leave`."""
    return _entered.set((*_entered.get(), run))


def leave(token: Token[tuple[OpenRun, ...]]) -> None:
    """Restore the runs of this context from before `enter`."""
    _entered.reset(token)


def entered() -> tuple[OpenRun, ...]:
    """Return the runs that this context has entered, the innermost last; some may have ended."""
    return _entered.get()


def started() -> tuple[OpenRun, ...]:
    """Return the open runs that a user has started in this context, the newest last."""
    return _open(_started.get())


def known_here() -> tuple[tuple[OpenRun, ...], ...]:
    """Return what this context knows of runs: equal as long as none is entered, left, started or ended in it."""
    return _entered.get(), _started.get()


def _open(runs: Iterable[OpenRun]) -> tuple[OpenRun, ...]:
    return tuple(run for run in runs if not run.ended)
