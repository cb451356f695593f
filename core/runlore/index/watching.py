"""Tells who wants to know how far the runs of a store are read."""

from collections.abc import Callable

from runlore._process import Part


class Watching(Part):
    """Holds who is told while many runs are read: how many they are so far, and which share of the days was read."""

    def __init__(self) -> None:
        self.tell: Callable[[int, float], None] | None = None
