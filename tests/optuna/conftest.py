"""What the tests of Optuna have in common."""

from collections.abc import Iterator

import optuna
import pytest

import runlore
from runlore import Store


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    return ("optuna",)


@pytest.fixture(autouse=True)
def _quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


@pytest.fixture
def autologged(store: Store) -> Iterator[Store]:
    with runlore.autolog("optuna"):
        yield store
