"""The backend is KERAS_BACKEND, else torch; test_backends.py runs the tests on jax, `make others` on tensorflow."""

import os

import pytest

from tests.quiet import without_foreign_warnings

__all__ = ["without_foreign_warnings"]

os.environ.setdefault("KERAS_BACKEND", "torch")


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    return ("keras",)
