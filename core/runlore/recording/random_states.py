"""Read the random states of Python and numpy, and restore them."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_draws() -> Iterator[None]:
    """Leave Python's and numpy's global generators as they were before the block.

    Only where no other thread of the user's runs: a restored state would let it draw the same numbers again.
    """
    import random

    python, numpy = random.getstate(), numpy_state()
    try:
        yield
    finally:
        if is_alone():
            if random.getstate() != python:
                random.setstate(python)
            if numpy is not None and not _is_same(numpy, numpy_state()):
                sys.modules["numpy.random"].set_state(numpy)


def numpy_state() -> dict[str, Any] | None:
    """Return the state of numpy's global generator; None where numpy is not loaded."""
    module: Any = sys.modules.get("numpy.random")
    state = module.get_state(legacy=False) if module is not None else None
    return state if isinstance(state, dict) else None


def is_alone() -> bool:
    """Return True if this thread is the only one, apart from those of runlore."""
    here = threading.current_thread()
    return all(thread is here or thread.name.startswith("runlore") for thread in threading.enumerate())


def _is_same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_is_same(a[key], b[key]) for key in a)
    return bool((a == b).all()) if hasattr(a, "all") else bool(a == b)
