"""The fits that are under way in this process: what is fitted meanwhile, in the same context, is a part of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Protocol

from runlore._process import Part, process
from runlore._warnings import report

if TYPE_CHECKING:
    from runlore.recording.run import Run

Token = tuple[int, int]  # a process, and the number of a stay there


class Fit(Protocol):
    """A fit as this module needs it."""

    run: "Run"
    integration: str
    look: Callable[[], None] | None  # ends the fit if its training call is over

    def end(self, error: BaseException | None = None) -> None:
        """End the fit: its call returned, or raised `error`."""

    def missing(self, what: str, why: str) -> None:
        """Record that something could not be captured."""


class Stay:
    """A fit from `enter` to `leave`; without a fit, something that makes no run. `outer` is the stay around it."""

    __slots__ = ("fit", "number", "outer")

    def __init__(self, number: int, fit: Fit | None, outer: "Stay | None" = None) -> None:
        self.number = number
        self.fit = fit
        self.outer = outer


_UNRECORDED = Stay(0, None)
_searching: ContextVar[bool] = ContextVar("runlore_search", default=False)
_innermost: "ContextVar[Stay | None]" = ContextVar("runlore_fit", default=None)  # it may be over


class Fits(Part):
    """Knows the stays that are not over: contexts don't reach the threads of a pool, and a fit may end in another one.

    A forked child inherits them: what it fits is a part of its parent's fit. It ends only those that it began itself.
    """

    rank = 1
    inherited = True

    def __init__(self) -> None:
        self._numbers = count(1)
        self._first_own = 1  # stays with a smaller number began in a parent process
        self._stays = {_UNRECORDED.number: _UNRECORDED}

    def enter(self, fit: Fit) -> Stay:
        """Begin a stay in this context (thread or task)."""
        stay = Stay(next(self._numbers), fit, self._known(_innermost.get()))
        self._stays[stay.number] = stay
        _innermost.set(stay)
        return stay

    def leave(self, stay: Stay | None) -> None:
        """End a stay, in any context; without effect where it has ended, or there is none."""
        if stay is not None and self._stays.pop(stay.number, None) is not None and _innermost.get() is stay:
            _innermost.set(stay.outer)

    def under_way(self) -> Stay | None:
        """Return the innermost stay of this context, after a look whether its fit is over."""
        stay = self._known(_innermost.get())
        if stay is None or stay.fit is None or stay.fit.look is None:
            return stay
        stay.fit.look()
        return self._known(_innermost.get())

    def begun_since(self, stay: Stay | None) -> list[Stay]:
        """Return the stays of this context within another one, the innermost first."""
        found = []
        inner = _innermost.get()
        while inner is not None and inner is not stay:
            found.append(inner)
            inner = inner.outer
        return [item for item in found if self._known(item) is not None]

    def find(self, token: Token | None) -> Stay | None:
        """Return the stay that a token of this process names, if it is not over."""
        return self._stays.get(token[1]) if token is not None and token[0] == os.getpid() else None

    def end(self) -> None:
        """End the fits that never reported their end, as far as a look shows that they are over."""
        for stay in list(self._stays.values()):
            if stay.number >= self._first_own and stay.fit is not None and stay.fit.look is not None:
                try:
                    stay.fit.look()
                except Exception as error:  # an integration's own code, which must not keep the runs from ending
                    report(f"the end of a training is not recorded: {type(error).__name__}: {error}")

    def forget(self) -> None:
        """Leave the stays so far to the parent."""
        self._first_own = next(self._numbers)

    def _known(self, stay: Stay | None) -> Stay | None:
        return stay if stay is not None and stay.number in self._stays else None


def in_fit() -> bool:
    """Return True while a fit is under way in this context, so that another one would be a part of it."""
    return _innermost.get() is not None and process.part(Fits).under_way() is not None


def is_part(integration: str, *, asked: bool) -> bool:
    """Return True where a training that begins here is a part of a fit under way, and gets no run.

    One that a callback of the user's has `asked` to record is no part of the fit of another integration.
    """
    return in_fit() and not (asked and around(integration) is not None)


def around(integration: str) -> "Run | None":
    """Return the run of the recorded fit under way in this context, if that is of another integration."""
    stay = process.part(Fits).under_way()
    fit = None if stay is None else stay.fit
    return fit.run if fit is not None and fit.integration != integration else None


def in_search() -> bool:
    """Return True where the trials of a search are runs already, so that what it searches with makes none of them."""
    return _searching.get()


@contextmanager
def searching(is_search: bool) -> Iterator[None]:
    """Say of the block whether it is a search whose trials are runs."""
    before = _searching.set(is_search)
    try:
        yield
    finally:
        _searching.reset(before)


def innermost() -> Stay | None:
    """Return the innermost stay of this context, which may be over: to ask later which ones were begun since."""
    return _innermost.get()


def token() -> Token | None:
    """Return what work for another thread carries along, so that it counts as a part of this fit: see `within`."""
    stay = process.part(Fits).under_way()
    return None if stay is None else (os.getpid(), stay.number)


@contextmanager
def within(token: Token | None) -> Iterator[None]:
    """Make the block a part of the fit that gave out the token; without effect in other processes and after its end."""
    stay = process.part(Fits).find(token)
    with _inside(stay) if stay is not None and not in_fit() else nullcontext():
        yield


@contextmanager
def unrecorded() -> Iterator[None]:
    """Let fits in the block make no runs, being a part of something that makes none."""
    with nullcontext() if in_fit() else _inside(_UNRECORDED):
        yield


@contextmanager
def _inside(stay: Stay) -> Iterator[None]:
    before = _innermost.set(stay)
    try:
        yield
    finally:
        _innermost.reset(before)
