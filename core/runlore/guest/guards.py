"""Being a guest in somebody's training where no `FitSession` is at hand: what is a part of which fit."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from runlore._ids import new_name
from runlore._settings import flag
from runlore._warnings import report, without_warnings
from runlore.errors import SettingError
from runlore.log import sigterm
from runlore.plugins.autolog import wanted_by_setting
from runlore.plugins.manager import plugins
from runlore.recording.random_states import without_draws
from runlore.recording.ranks import is_worker

if TYPE_CHECKING:
    from runlore.hookspecs import DataDescription


P = ParamSpec("P")
R = TypeVar("R")

F = TypeVar("F", bound=Callable[..., Any])

UNSEEN = "<runlore, passed over like importlib._bootstrap>"


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

        return plugins().first("runlore_describe_data", DataDescription, data=data)
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
    sigterm.rearm()
