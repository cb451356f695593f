"""What the tests of scikit-learn have in common."""

from collections.abc import Iterator

import pytest

import runlore
from runlore import Store


@pytest.fixture
def autologged(store: Store) -> Iterator[Store]:
    with runlore.autolog("sklearn"):
        yield store
