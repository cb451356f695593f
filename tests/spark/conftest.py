"""A Spark of its own for the tests of a process: two threads of this machine, no page, no port but its own."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore import Store
from tests.quiet import without_foreign_warnings

__all__ = ["without_foreign_warnings"]


@pytest.fixture(scope="session")
def java() -> None:
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, which is missing: apt-get install default-jre-headless")


@pytest.fixture(scope="session")
def spark(java: None) -> Iterator[Any]:
    from tests.spark.models import session

    found = session()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    return ("pyspark.ml",)


@pytest.fixture
def models(spark: Any) -> Any:
    from tests.spark import models

    return models


@pytest.fixture
def autologged(store: Store, spark: Any) -> Iterator[Store]:
    with runlore.autolog("spark"):
        yield store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "model"
