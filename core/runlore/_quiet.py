"""Work that only the record needs, done without a trace: no warning shows, no random state has moved."""

import random
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


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


@contextmanager
def without_draws() -> Iterator[None]:
    """Python's and numpy's global generators are left as they were.

    Only where no other thread of the user's runs: putting a state back would let it draw the same numbers again.
    """
    python, numpy = random.getstate(), numpy_state()
    try:
        yield
    finally:
        if is_alone():
            if random.getstate() != python:
                random.setstate(python)
            if numpy is not None and not _same(numpy, numpy_state()):
                sys.modules["numpy.random"].set_state(numpy)


def numpy_state() -> dict[str, Any] | None:
    """The state of numpy's global generator; None where numpy is not loaded."""
    module: Any = sys.modules.get("numpy.random")
    state = module.get_state(legacy=False) if module is not None else None
    return state if isinstance(state, dict) else None


def is_alone() -> bool:
    """Whether this thread is the only one but for those of runlore."""
    here = threading.current_thread()
    return all(thread is here or thread.name.startswith("runlore") for thread in threading.enumerate())


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return bool((a == b).all()) if hasattr(a, "all") else bool(a == b)
