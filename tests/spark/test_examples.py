"""The example and the page of Spark run as they stand there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from tests.docs.pages import snippets
from tests.process import Process

pytest.importorskip("pyspark")

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.usefixtures("java")


def test_the_example(python: Callable[..., Process], store: Store) -> None:
    assert "on held-out rows" in python(ROOT / "examples" / "spark_tuning.py").succeed()
    (search,) = store.runs("parent is None")
    assert (len(search.children), search.status) == (3, "finished")
    assert search.metrics["test/areaUnderROC"].last > 0.5
    assert [item.kind for item in search.artifacts].count("model") == 1


def test_the_page(python: Callable[..., Process], store: Store) -> None:
    (snippet,) = snippets(ROOT / "docs" / "spark.md")
    python(snippet).succeed()
    (run,) = store.runs()
    assert run.tags["estimator"] == "Pipeline"
    assert "test/areaUnderROC" in run.metrics
