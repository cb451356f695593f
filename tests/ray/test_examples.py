"""The example and the snippets of the page, as users run them: with a cluster of their own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from tests.docs.pages import snippets
from tests.process import Process

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _own_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS")


def test_the_example(python: Callable[..., Process], store: Store) -> None:
    assert "best score" in python(ROOT / "examples" / "ray_digits.py", **os.environ).succeed()
    (run,) = store.runs("parent is None")
    assert (run.status, len(run.children)) == ("finished", 6)
    assert any("AsyncHyperBandScheduler" in child.tags.get("stopped", "") for child in run.children)
    assert max(child.metrics["score"].values[-1] for child in run.children) > 0.9


def test_the_snippets_of_the_page(python: Callable[..., Process], store: Store) -> None:
    (snippet,) = snippets(ROOT / "docs" / "ray.md")
    python(snippet).succeed()
    (run,) = store.runs("parent is None")
    assert sorted(child.params["lr"] for child in run.children) == [0.1, 0.2]
