"""The loop of JAX on its page leaves a whole record."""

from collections.abc import Callable
from pathlib import Path

import runlore
from tests.docs.pages import snippets
from tests.docs.test_docs import ROOT
from tests.process import Process


def test_the_loop_of_the_page_is_a_run(python: Callable[..., Process], store: runlore.Store, tmp_path: Path) -> None:
    (loop,) = snippets(ROOT / "docs" / "jax.md")
    python(loop).succeed()
    (run,) = store.runs()
    assert (run.status, run.missing, run.params) == ("finished", [], {"learning_rate": 0.1, "steps": 20})
    assert run.metrics["loss"].steps.tolist() == list(range(1, 21))
    assert run.metrics["loss"].last < 1
    assert run.data["train"]["shape"] == [64, 3]
    kept = [item.step for item in run.artifacts if item.kind == "checkpoint" and item.present]
    assert kept == [20]
    assert run.artifact("last").restore(tmp_path / "out").stat().st_size > 100
