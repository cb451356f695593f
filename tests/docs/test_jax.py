"""The loops of JAX on their page, with optax alone and with flax, leave a whole record."""

from collections.abc import Callable
from pathlib import Path

import pytest

import runlore
from tests.docs.pages import snippets
from tests.docs.test_docs import ROOT
from tests.process import Process


@pytest.mark.parametrize(("place", "tag"), [(0, "jax"), (1, "flax")])
def test_a_loop_of_the_page_is_a_run(
    place: int, tag: str, python: Callable[..., Process], store: runlore.Store, tmp_path: Path
) -> None:
    python(snippets(ROOT / "docs" / "jax.md")[place]).succeed()
    (run,) = store.runs()
    assert (run.status, run.missing, run.params) == ("finished", [], {"learning_rate": 0.1, "steps": 20})
    assert run.tags["integration"] == tag
    assert run.metrics["loss"].steps.tolist() == list(range(1, 21))
    assert run.metrics["loss"].last < 1
    assert run.data["train"]["shape"] == [64, 3]
    kept = [item.step for item in run.artifacts if item.kind == "checkpoint" and item.present]
    assert kept == [20]
    assert run.artifact("last").restore(tmp_path / "out").stat().st_size > 50
