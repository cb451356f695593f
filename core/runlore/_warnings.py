"""Warnings of runlore, which never raise, blocks in which a thread shows no warnings, and forks beside our threads."""

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TypeVar

from runlore._process import Part, process
from runlore._threads import acting_for, are_all_ours
from runlore.errors import RunloreWarning, SettingError

T = TypeVar("T")

_SKIPPED = ("runlore", "functools", "contextlib", "threading")  # modules that a warning of ours does not point to


class _ThisThread:
    """A pattern of a warning filter that matches all warnings of one thread while it is active."""

    __slots__ = ("active", "ident")
    pattern = "(?!)"  # matches nothing: for those who copy filters by their patterns, as scikit-learn does

    def __init__(self) -> None:
        self.ident = acting_for()
        self.active = True

    def match(self, text: str) -> bool:
        return self.active and acting_for() == self.ident


class _Silence(Part):
    """The patterns of all threads that are in `without_warnings`; a child may be forked in such a block."""

    inherited = True

    def __init__(self) -> None:
        self.patterns: list[_ThisThread] = []
        self.without_reports: list[int] = []  # threads, once for each block that they are in

    def forget(self) -> None:
        """Let go of the parent's other threads: a thread of the child may get the number of one."""
        for pattern in self.patterns:
            pattern.active = pattern.active and pattern.ident == threading.get_ident()
        self.without_reports[:] = [ident for ident in self.without_reports if ident == threading.get_ident()]


class without_warnings:  # noqa: N801  # a block, as `contextlib` has them
    """Show no warning of this thread in the block; those of other threads show as ever.

    Within `watched` the threads that it makes count as itself.

    `warnings.catch_warnings` would silence all threads, could leave its filters behind where two overlap, and would
    forget which warnings were shown already. So one filter is put in front and taken away again; a copy of it that
    somebody else has saved meanwhile matches nothing any more.
    """

    __slots__ = ("_pattern",)

    def __enter__(self) -> None:
        front = warnings.filters[0][1] if warnings.filters else None
        self._pattern: _ThisThread | None = None
        if isinstance(front, _ThisThread) and front.active and front.ident == acting_for():
            return  # in such a block
        self._pattern = pattern = _ThisThread()
        process.part(_Silence).patterns.append(pattern)
        warnings.filters.insert(0, _filter_of(pattern))  # type: ignore[attr-defined]  # typeshed says a sequence

    def __exit__(self, *_: object) -> None:
        pattern = self._pattern
        if pattern is None:
            return
        pattern.active = False
        process.part(_Silence).patterns.remove(pattern)
        with suppress(ValueError):
            warnings.filters.remove(_filter_of(pattern))  # type: ignore[attr-defined]


def _filter_of(pattern: "_ThisThread | _Fork", category: type[Warning] = Warning) -> Any:
    return "ignore", pattern, category, None, 0


class _Fork(Part):
    """A pattern that matches what Python 3.12 and later say of a fork beside other threads, where all these are ours.

    The warning comes before the hooks behind a fork (3.12) or after them (3.13), so the filter goes as it matches.
    """

    inherited = True
    pattern = "(?!)"

    def begin(self) -> None:
        """Put the filter in front of those that there are now; this thread is about to fork."""
        self.forget()
        if are_all_ours():
            warnings.filters.insert(0, _filter_of(self, DeprecationWarning))  # type: ignore[attr-defined]

    def match(self, text: str) -> bool:
        """Return True for that warning, once."""
        found = " is multi-threaded, use of " in text
        if found:
            self.forget()
        return found

    def forget(self) -> None:
        """Take the filter away."""
        with suppress(ValueError):
            warnings.filters.remove(_filter_of(self, DeprecationWarning))  # type: ignore[attr-defined]


if sys.version_info >= (3, 12):
    os.register_at_fork(before=lambda: process.part(_Fork).begin())


@contextmanager
def without_reports() -> Iterator[None]:
    """Let `report` say nothing in this thread in the block: its caller tells of a failure by itself."""
    threads, ident = process.part(_Silence).without_reports, acting_for()
    threads.append(ident)
    try:
        yield
    finally:
        threads.remove(ident)


@contextmanager
def _aloud() -> Iterator[None]:
    """Show warnings of this thread in the block, also within `without_warnings`."""
    own = [item for item in process.part(_Silence).patterns if item.ident == acting_for() and item.active]
    for pattern in own:
        pattern.active = False
    try:
        yield
    finally:
        for pattern in own:
            pattern.active = True


def report(message: str) -> None:
    """Warn about something that could not be recorded; never raises, whatever the warning filters say.

    Within `without_reports` it says nothing. The warning points to the code that called us.
    """
    try:
        if acting_for() in process.part(_Silence).without_reports:
            return
        with _aloud():
            warnings.warn(message, RunloreWarning, stacklevel=_level_of_user())
    except Exception:  # a filter that makes errors of warnings, a hook on them that fails, a closed stderr
        with suppress(Exception):
            tell(message)


def tell(text: str) -> None:
    """Write a line to stderr, hidden characters as escapes; nobody reads it where there is no stderr."""
    if not (text.isascii() and text.isprintable()):
        from runlore._text import one_line  # hardly any name needs it

        text = one_line(text)
    with suppress(OSError, ValueError, AttributeError):  # closed, a broken pipe, or one that can't spell the text
        sys.stderr.write(f"runlore: {text}\n")


def valid_or(default: T, read: Callable[..., T], *arguments: Any) -> T:
    """Return the setting that `read` returns; the default, and a report, where its value is not valid."""
    try:
        return read(*arguments)
    except SettingError as error:  # not worth ending a training for
        report(str(error))
        return default


def _level_of_user() -> int:
    """Return how many frames above the caller of this function the code stands that called us, counted from 1."""
    from inspect import currentframe  # takes long to import, and is needed only where something went wrong

    frame, level = currentframe(), 0  # 1: the caller, 2: its caller
    while frame is not None and frame.f_back is not None and (level < 2 or _is_skipped(frame)):
        frame, level = frame.f_back, level + 1
    return level


def _is_skipped(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(_SKIPPED)
