import pytest

from tests.quiet import without_foreign_warnings

__all__ = ["without_foreign_warnings"]


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    return ("catboost",)
