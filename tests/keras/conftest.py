"""The backend is KERAS_BACKEND, else torch; test_backends.py runs the tests on jax, `make others` on tensorflow."""

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
