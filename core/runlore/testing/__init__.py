"""Tests for those who extend runlore: contracts that an integration or a store fulfils, and fixtures.

Put `pytest_plugins = ["runlore.testing"]` into the `conftest.py` at the root of your tests.
"""

import pytest

pytest.register_assert_rewrite(
    *(f"runlore.testing.{name}" for name in ("basis", "processes", "registry", "settings")),
    *(f"runlore.testing.{name}" for name in ("store", "training", "warm")),
    *(f"runlore.testing.{name}_statements" for name in ("guest", "record", "trainer", "truth", "way")),
)

from runlore.testing.fixtures import pytest_configure as pytest_configure  # noqa: E402  # asserts are rewritten now
from runlore.testing.fixtures import runlore_plugins, runlore_store, runlore_warm_parents  # noqa: E402
from runlore.testing.integration import IntegrationContract  # noqa: E402
from runlore.testing.store import StoreContract  # noqa: E402
from runlore.testing.training import Training  # noqa: E402

__all__ = [
    "IntegrationContract", "StoreContract", "Training", "runlore_plugins", "runlore_store", "runlore_warm_parents",
]  # fmt: skip
