"""What the tests of torch have in common."""

from collections.abc import Iterator

import pytest

import runlore
from runlore import Store


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    return ("torch", "torch.utils.data")


@pytest.fixture
def autologged(store: Store) -> Iterator[Store]:
    with runlore.autolog("torch"):
        yield store
