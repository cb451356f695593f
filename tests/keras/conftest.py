"""The backend is that of KERAS_BACKEND, torch without it; test_backends.py runs these tests again with others."""

import os
import warnings
from collections.abc import Iterator

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")


@pytest.fixture(autouse=True)
def without_warnings_of_keras() -> Iterator[None]:
    from runlore.errors import RunloreWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RunloreWarning)
        yield
