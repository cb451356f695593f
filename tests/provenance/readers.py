"""Readers of model files that fail as libraries in C can; their module imports nothing, as their time is short."""

import os
from typing import Any


def stall(_: Any) -> list[Any]:
    """Compute for ever."""
    while True:
        sum(range(1 << 30))


def crash(_: Any) -> list[Any]:
    """End the process."""
    os.abort()


def swell(_: Any) -> list[Any]:
    """Take more memory than a reader may have."""
    return [bytearray(16 << 30)]


def find_nothing(_: Any) -> list[Any]:
    """Return at once."""
    return []
