"""A repository whose code differs from run to run, runs with several seeds, and processes that have imported torch."""

import pytest

from tests.analysis.seeded import seeded
from tests.plugins.test_code import repository

__all__ = ["repository", "seeded"]


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    return ("torch",)
