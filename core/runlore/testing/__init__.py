"""Tests for those who extend runlore: contracts that an integration or a store fulfils, and fixtures.

Put `pytest_plugins = ["runlore.testing"]` into the `conftest.py` at the root of your tests.
"""

import pytest

from runlore.testing.fixtures import (
    runlore_plugins,
    runlore_store,  # noqa: E402  # asserts are rewritten before
)
from runlore.testing.integration import IntegrationContract  # noqa: E402
from runlore.testing.store import StoreContract  # noqa: E402
from runlore.testing.training import Training  # noqa: E402

for _module in ("basis", "guest_statements", "record_statements", "store", "training"):
    pytest.register_assert_rewrite(f"runlore.testing._{_module}")

__all__ = ["IntegrationContract", "StoreContract", "Training", "runlore_plugins", "runlore_store"]
