"""Holds what the entry points know of this process; imports nothing of Lightning."""

from runlore import guest


class Switch(guest.Part):
    """Says whether `runlore.autolog()` is on for Lightning, in this process and in its forked children."""

    inherited = True

    def __init__(self) -> None:
        self.on = False


class Trainers(guest.Part):
    """Counts the Trainers that were made since runlore was imported; without one, Fabric may be used alone."""

    inherited = True

    def __init__(self) -> None:
        self.made = 0
