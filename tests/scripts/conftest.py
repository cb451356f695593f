"""What these tests share: the switches are on for a test, and off behind it."""

from collections.abc import Callable, Iterator

import pytest

import runlore
from runlore.plugins.autolog import Autolog


@pytest.fixture
def on() -> Iterator[Callable[..., Autolog]]:
    """Switch some libraries on for this test."""
    switched: list[Autolog] = []

    def switch(*names: str) -> Autolog:
        switched.append(runlore.autolog(*names))
        return switched[-1]

    yield switch
    for item in switched:
        item.disable()
