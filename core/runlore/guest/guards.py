"""Leave no trace in somebody's training: guards around our own work, and around what a framework calls."""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from runlore._callers import UNSEEN as UNSEEN  # offered here, too
from runlore._callers import Substitute, is_users
from runlore._callers import is_users_function as is_users_function
from runlore._callers import is_users_module as is_users_module
from runlore._ids import new_name
from runlore._settings import flag
from runlore._warnings import report, valid_or, without_warnings
from runlore.hookspecs import DataDescription
from runlore.log import marks
from runlore.plugins.autolog import switched_on, wanted_by_setting
from runlore.plugins.manager import plugins
from runlore.recording.ranks import is_worker

P = ParamSpec("P")
R = TypeVar("R")

Note = Callable[[tuple[Any, ...], Mapping[str, Any], Any], object]  # positional and other arguments of a call, result
F = TypeVar("F", bound=Callable[..., Any])


def without_trace(*, draws: bool = False, prints: bool = False) -> AbstractContextManager[None]:
    """Do in the block what only the record needs: no warning of this thread shows.

    With `draws`, random states are restored, too: Python's own and numpy's, if numpy is loaded and no other thread may
    be drawing from them; an integration takes care of its framework's. With `prints`, nothing shows that is
    printed by Python's `sys.stdout` and `sys.stderr`, either. Threads that this one makes count as itself, but for
    those that are given `daemon`; all others print on, and start threads, as ever.
    """
    return _without_trace(draws=draws, prints=prints) if draws or prints else without_warnings()


@contextmanager
def _without_trace(*, draws: bool, prints: bool) -> Iterator[None]:
    from runlore.recording.output import without_output  # late: a program's imports wait for this file
    from runlore.recording.random_states import without_draws

    with (
        without_warnings(),
        without_draws() if draws else nullcontext(),
        without_output() if prints else nullcontext(),
    ):
        yield


def warn(message: str) -> None:
    """Warn that less is recorded than usual: for an untested version of a framework, say. Never raises."""
    report(message)


def describe(data: Any) -> DataDescription | None:
    """Return the description of a dataset; None where no plugin knows it, and in workers. Never raises."""
    if is_worker():
        return None
    try:
        return plugins().first("runlore_describe_data", DataDescription, data=data)
    except Exception:  # a plugin's own code, on foreign data: nothing is recorded of it here
        return None


def harmless(hook: Callable[P, R]) -> Callable[P, R | None]:
    """Guard a function that a framework calls: its first exception is reported, and None returned for each."""
    failed = telling_once(hook)

    @functools.wraps(hook)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return hook(*args, **kwargs)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            failed(error)
            return None

    return guarded


def telling_once(hook: Callable[..., object]) -> Callable[[Exception], None]:
    """Return what reports the first exception of a hook, for one that catches its own: what is called at every step."""
    reported = False

    def failed(error: Exception) -> None:
        nonlocal reported
        if not reported:
            reported = True
            report(f"less is recorded: {hook.__qualname__} failed: {type(error).__name__}: {error}")

    return failed


def unseen(wrapper: F) -> F:
    """Hide the frame of a function that stands between a user's call and a framework's function.

    `warnings` skips it when it counts levels, as it skips frames of importlib, so that a warning points to the line
    that it would point to without us; tracebacks in runs leave it out, those of the user where it is `frameless`.
    """
    function: Any = wrapper
    function.__code__ = function.__code__.replace(co_filename=UNSEEN)
    return wrapper


def hide_frames(error: BaseException) -> None:
    """Take the frames of `unseen` functions out of an exception's traceback.

    For an exception that passes through one of them, too: what a block or a bare `raise` lets go on has no new entry.
    """
    trace = _next_seen(error.__traceback__)
    error.with_traceback(trace)
    while trace is not None:
        after = _next_seen(trace.tb_next)
        if after is not trace.tb_next:
            trace.tb_next = after
        trace = after


def _next_seen(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename == UNSEEN:
        trace = trace.tb_next
    return trace


class _Frameless:
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            hide_frames(error)


def frameless() -> AbstractContextManager[None]:
    """Return a block for an `unseen` function: what is raised in it goes on with no frame of such functions."""
    return _Frameless()


def preceded(original: Callable[..., Any], note: Callable[..., object]) -> Callable[..., Any]:
    """Return a function that does as the original, and calls `note` with its arguments before each call.

    For what is called at every step: it costs less than a wrapper that makes the call itself. What `note` raises is
    reported once. Tracebacks and warnings don't show our frame.
    """
    failed = telling_once(note)

    @unseen
    def precedes(*args: Any, **kwargs: Any) -> Any:
        try:
            note(*args, **kwargs)
        except Exception as error:  # the call goes on
            failed(error)
        try:
            return original(*args, **kwargs)
        except BaseException as error:
            hide_frames(error)
            raise

    return functools.wraps(original)(precedes)


def followed(
    original: Callable[..., Any], note: Note, *, by_all: bool = False, through: Sequence[str] = ()
) -> Callable[..., Any]:
    """Return a function that does as the original, and calls `note` behind each call of the user's own code.

    Behind one that returned; calls by installed code and by Python's own pass through, at a cost of some 0.4 µs, unless
    those `by_all` count. A library's function of the same name passes the user's call on, as do those that it goes
    `through`. What `note` raises is reported once. Tracebacks and warnings don't show our frame.
    """
    note, name = harmless(note), str(getattr(original, "__name__", ""))
    passing = (*through, *([] if name.startswith("__") else [name]))  # any library's class may have a special method

    @unseen
    def follows(*args: Any, **kwargs: Any) -> Any:
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            hide_frames(error)
            raise
        if by_all or is_users(sys._getframe().f_back, passing):  # C may call with no frame: a new thread, a traceback
            note(args, kwargs, result)
        return result

    if hasattr(original, "__get__"):
        return functools.wraps(original)(follows)
    kind = type(Substitute.__name__, (Substitute,), {"__call__": staticmethod(follows)})  # no frame more for each call
    found: Callable[..., Any] = kind(original)
    return found


class Leaving:
    """The exception that a call ends with, by whoever sees it first: a hook, or what is called while it propagates.

    For frameworks that don't wrap such a call in anything of ours. It is made where the call begins.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._outer = sys.exception()  # the call may be made while another exception is handled

    def note_propagating(self) -> None:
        """Note the exception now propagating, unless the call was made while handling it."""
        propagating = sys.exception()
        if self.error is None and propagating is not self._outer:
            self.error = propagating

    def has_passed(self) -> bool:
        """Return True if no exception of the call is propagating any more."""
        return sys.exception() is self._outer


def why_pruned(error: BaseException | None) -> str | None:
    """Return what a search says as it ends a trial by an exception, whose class is named `…Pruned`; None for others."""
    is_pruned = any(kind.__name__.endswith("Pruned") for kind in type(error).__mro__)
    return f"pruned: {error}".rstrip(": ") if is_pruned else None


def autolog_wanted(integration: str) -> bool:
    """Return True if RUNLORE_AUTOLOG asks for an integration: by 1, or by a list that names it.

    Raises:
        SettingError: no plugin records a framework that it names.
    """
    return integration in wanted_by_setting()


def autologged() -> frozenset[str]:
    """Return the names of the integrations that are switched on in this process: for one that it starts."""
    return switched_on()


def records_dry_runs() -> bool:
    """Return True if RUNLORE_DRY_RUNS asks to record trainings that only try whether the code works."""
    return valid_or(False, flag, "dry_runs")


def run_name() -> str:
    """Return a name that a person can say, for a run that is begun later."""
    return new_name()


def rearm() -> None:
    """Let signals leave their mark again, after a framework has given back the handler that it took."""
    marks.rearm()
