"""Being a guest in somebody's training where no `FitSession` is at hand: what is a part of which fit."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from runlore import _marks
from runlore._autolog import wanted_by_setting
from runlore._ids import new_name
from runlore._process import process
from runlore._quiet import without_draws, without_warnings
from runlore._ranks import is_worker
from runlore._settings import flag
from runlore._writer import report
from runlore.errors import SettingError

if TYPE_CHECKING:
    from runlore.hookspecs import DataDescription
    from runlore.session import FitSession

__all__ = [
    "autolog_wanted",
    "current",
    "describe",
    "harmless",
    "in_fit",
    "rearm",
    "records_dry_runs",
    "run_name",
    "ticket",
    "unrecorded",
    "unseen",
    "warn",
    "within",
    "without_trace",
]

P = ParamSpec("P")
R = TypeVar("R")

F = TypeVar("F", bound=Callable[..., Any])

UNSEEN = "<runlore, passed over like importlib._bootstrap>"
_UNRECORDED = object()  # stands for what is under way and makes no run
_fit: "ContextVar[Any]" = ContextVar("runlore_fit", default=None)
_open: dict[int, Any] = {id(_UNRECORDED): _UNRECORDED}  # of this process: contexts don't reach the threads of a pool


def current() -> "FitSession | None":
    """The recorded fit that is under way in this context."""
    session = _under_way()
    return None if session is _UNRECORDED else session


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


@contextmanager
def without_trace(*, draws: bool = False) -> Iterator[None]:
    """For work that only the record needs: no warning of this thread shows.

    With `draws`, random states are left as they were, too: Python's own and numpy's, if numpy is loaded and no other
    thread may be drawing from them; an integration takes care of its framework's.
    """
    with without_warnings(), without_draws() if draws else nullcontext():
        yield


def warn(message: str) -> None:
    """Warn that less is recorded than usual: for an untested version of a framework, say. Never raises."""
    report(message)


def describe(data: Any) -> "DataDescription | None":
    """What a dataset looks like; None where no plugin knows it, and in workers. Never raises."""
    if is_worker():
        return None
    try:
        from runlore.hookspecs import DataDescription

        return process.plugins().first("runlore_describe_data", DataDescription, data=data)
    except Exception:  # a plugin's own code, on foreign data: nothing is recorded of it here
        return None


def harmless(hook: Callable[P, R]) -> Callable[P, R | None]:
    """Decorates what a framework calls: an exception of ours is reported once for each hook, and None returned."""
    told: list[str] = []

    @functools.wraps(hook)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return hook(*args, **kwargs)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            if not told:
                told.append(type(error).__name__)
                report(f"less is recorded: {hook.__qualname__} failed: {type(error).__name__}: {error}")
            return None

    return guarded


def unseen(wrapper: F) -> F:
    """Decorates what stands between a user's call and a framework's function.

    `warnings` passes over its frame when it counts levels, as over those of importlib, so that a warning points to the
    line that it would point to without us; tracebacks in runs leave it out.
    """
    function: Any = wrapper
    function.__code__ = function.__code__.replace(co_filename=UNSEEN)
    return wrapper


def autolog_wanted(integration: str) -> bool:
    """Whether RUNLORE_AUTOLOG asks for an integration: by 1, or by its name among others.

    Raises:
        SettingError: it names what no plugin records.
    """
    return integration in wanted_by_setting()


def records_dry_runs() -> bool:
    """Whether RUNLORE_DRY_RUNS asks for what a framework runs only to see whether it works."""
    try:
        return flag("dry_runs")
    except SettingError as error:
        report(str(error))
        return False


def run_name() -> str:
    """A name that a person can say, for a run that is to be begun later."""
    return new_name()


def rearm() -> None:
    """A framework that took SIGTERM for itself has given it back: let it leave its mark again."""
    _marks.rearm()
