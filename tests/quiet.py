"""Frameworks warn of their own doings, which are not what is tested; ours stay errors."""

import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def without_foreign_warnings() -> Iterator[None]:
    from runlore.errors import RunloreWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RunloreWarning)
        yield
