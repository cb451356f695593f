"""No network, no bars; the warnings of transformers and torch are not what is tested."""

import os

import pytest

from tests.quiet import without_foreign_warnings

__all__ = ["without_foreign_warnings"]

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    return ("transformers.trainer", "datasets")
