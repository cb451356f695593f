"""Lightning warns of its own doings, which are not what is tested."""

import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def without_warnings_of_lightning() -> Iterator[None]:
    from runlore.errors import RunloreWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RunloreWarning)
        yield
