"""Work that only the record needs, done without a trace: no warning shows, no random state has moved."""

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from runlore.errors import RunloreWarning, SettingError

T = TypeVar("T")


class _ThisThread:
    """A pattern of a warning filter that matches whatever one thread warns of, while it is active."""

    __slots__ = ("active", "ident")
    pattern = "(?!)"  # for those who copy filters by their patterns, as scikit-learn does: it matches nothing

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self.active = True

    def match(self, text: str) -> bool:
        return self.active and threading.get_ident() == self.ident


_patterns: list[_ThisThread] = []


@contextmanager
def without_warnings() -> Iterator[None]:
    """Nothing that this thread warns of in the block is shown; other threads warn as ever.

    `warnings.catch_warnings` would silence all threads, could leave its filters behind where two overlap, and would
    forget which warnings were shown already. So one filter is put in front and taken away again; a copy of it that
    somebody else has saved meanwhile matches nothing any more.
    """
    pattern = _ThisThread()
    entry: Any = ("ignore", pattern, Warning, None, 0)
    _patterns.append(pattern)
    warnings.filters.insert(0, entry)  # type: ignore[attr-defined]  # typeshed says a sequence
    try:
        yield
    finally:
        pattern.active = False
        _patterns.remove(pattern)
        with suppress(ValueError):
            warnings.filters.remove(entry)  # type: ignore[attr-defined]


@contextmanager
def aloud() -> Iterator[None]:
    """Within `without_warnings`: a warning of ours, which has to show."""
    silent = [pattern for pattern in _patterns if pattern.ident == threading.get_ident()]
    for pattern in silent:
        pattern.active = False
    try:
        yield
    finally:
        for pattern in silent:
            pattern.active = True


OURS = ("runlore", "functools", "contextlib", "threading")  # frames that a warning of ours does not point to


def report(message: str) -> None:
    """Warn about something that could not be recorded; never raises, whatever the warning filters say.

    The warning points to the code that called us.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(OURS):
        frame, level = frame.f_back, level + 1
    try:
        with aloud():
            warnings.warn(message, RunloreWarning, stacklevel=level)
    except Exception:  # a filter that makes errors of warnings, a hook on them that fails, a closed stderr
        with suppress(Exception):
            sys.stderr.write(f"runlore: {message}\n")


def valid_or(default: T, read: Callable[..., T], *arguments: Any) -> T:
    """Return the setting that `read` returns; the default, and a report, where its value is not valid."""
    try:
        return read(*arguments)
    except SettingError as error:  # not worth ending a training for
        report(str(error))
        return default
