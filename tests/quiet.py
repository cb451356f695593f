"""For tests that use frameworks: no network, no progress bars, and only our own warnings are errors."""

import os
import warnings
from collections.abc import Iterator

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


@pytest.fixture(autouse=True)
def without_foreign_warnings() -> Iterator[None]:
    from runlore.errors import RunloreWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RunloreWarning)
        yield
