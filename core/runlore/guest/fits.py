"""Know which fits are under way in this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_UNRECORDED = object()  # stands for what is under way and makes no run
_fit: "ContextVar[Any]" = ContextVar("runlore_fit", default=None)
_open: dict[int, Any] = {id(_UNRECORDED): _UNRECORDED}  # of this process: contexts don't reach the threads of a pool


def in_fit() -> bool:
    """Whether a fit is under way in this context, so that another one would be a part of it."""
    return _under_way() is not None


def _under_way() -> Any:
    session = _fit.get()
    look = getattr(session, "look", None)
    if look is not None:
        look()
        session = _fit.get()
    return session if id(session) in _open else None  # it may have ended in another context than this


def ticket() -> tuple[int, int] | None:
    """What work that is handed to another thread carries along, so that it counts as part of this fit."""
    session = _under_way()
    return None if session is None else (os.getpid(), id(session))


@contextmanager
def within(ticket: tuple[int, int] | None) -> Iterator[None]:
    """The block belongs to the fit that gave out the ticket; without effect elsewhere, or after its end."""
    session = _open.get(ticket[1]) if ticket is not None and ticket[0] == os.getpid() else None
    if session is None or in_fit():
        yield
        return
    token = _fit.set(session)
    try:
        yield
    finally:
        _fit.reset(token)


@contextmanager
def unrecorded() -> Iterator[None]:
    """Fits in the block are part of something that makes no run: they make none either."""
    if in_fit():
        yield
        return
    token = _fit.set(_UNRECORDED)
    try:
        yield
    finally:
        _fit.reset(token)
