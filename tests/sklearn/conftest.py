"""What the tests of scikit-learn have in common."""

from collections.abc import Iterator

import pytest

import runlore
from runlore import Store


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    return (
        "sklearn.dummy",
        "sklearn.linear_model",
        "sklearn.model_selection",
        "sklearn.naive_bayes",
        "sklearn.pipeline",
    )


@pytest.fixture
def autologged(store: Store) -> Iterator[Store]:
    with runlore.autolog("sklearn"):
        yield store
