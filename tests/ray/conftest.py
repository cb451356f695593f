"""What the tests of Ray have in common: one local cluster of two CPUs, for as long as pytest runs."""

import os
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore import Store
from tests.quiet import without_foreign_warnings

__all__ = ["without_foreign_warnings"]

collect_ignore_glob = [] if find_spec("ray") is not None else ["test_*.py"]
SETTINGS = {
    "RAY_AUTH_MODE": "disabled",  # no token in the user's home
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # which prints, however quiet it is told to be
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "120",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}


@pytest.fixture(scope="session", autouse=True)
def cluster() -> Iterator[None]:
    import ray

    with pytest.MonkeyPatch.context() as settings:
        for name, value in SETTINGS.items():
            settings.setenv(name, value)
        ray.init(num_cpus=2, include_dashboard=False, configure_logging=False, log_to_driver=False)
        settings.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)  # for processes that tests start
        yield
        ray.shutdown()


@pytest.fixture
def autologged(store: Store) -> Iterator[Store]:
    with runlore.autolog():
        yield store


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Store, Any]]:
    """Calls a function with a folder, autolog on, in a store of its own; returns the store and what it returned."""

    def record(function: Callable[[Path], Any]) -> tuple[Store, Any]:
        place = tmp_path_factory.mktemp("recorded")
        with pytest.MonkeyPatch.context() as settings:
            settings.setenv("RUNLORE_STORE", str(place / "store"))
            settings.setenv("RUNLORE_QUIET", "1")
            os.makedirs(place / "results")  # noqa: PTH103
            with runlore.autolog(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = function(place / "results")
        return runlore.Store(place / "store"), result

    return record
