"""transformers and torch warn of their own doings, and show bars, which are not what is tested."""

import os
import warnings
from collections.abc import Iterator

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


@pytest.fixture(autouse=True)
def without_warnings_of_transformers() -> Iterator[None]:
    from runlore.errors import RunloreWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RunloreWarning)
        yield
