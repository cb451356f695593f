"""The example of each framework trains offline, in seconds, and is recorded as its page says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore.provenance.origins import which_run
from tests.process import Process

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
MOST = 60.0  # seconds that an example may take

Python = Callable[..., Process]


@pytest.fixture
def run(python: Python, store: runlore.Store) -> Callable[[str], str]:
    def start(name: str) -> str:
        printed = python(EXAMPLES / name, HF_HUB_OFFLINE="1", KERAS_BACKEND="torch").succeed()
        assert sum(found.duration or 0 for found in store.runs("parent is None")) < MOST
        return printed

    return start


def test_every_example_is_told_of_in_a_page() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    names = [path.name for path in EXAMPLES.iterdir() if path.suffix == ".py" or (path / "README.md").exists()]
    assert len(names) == 13
    for name in names:
        assert f"examples/{name}" in pages, name


def test_scikit_learn(run: Callable[[str], str], store: runlore.Store) -> None:
    assert "grid search" in run("sklearn_compare.py")
    assert len(store.runs("parent is None")) == 6
    assert len(store.runs("parent is not None")) == 8
    assert min(found.metrics["test_score"].last for found in store.runs("parent is None")) > 0.9


def test_lightning(run: Callable[[str], str], store: runlore.Store, tmp_path: Path) -> None:
    assert run("lightning_digits.py").count("val_acc") == 2
    best = store.runs(sort="-metrics.val_acc.max", limit=1)[0]
    assert (best.status, best.params["lr"]) == ("finished", 0.01)
    assert (best.metrics["val_acc"].max or 0) > 0.9
    assert best.artifact("best").restore(tmp_path / "out").stat().st_size > 10_000


def test_xgboost(run: Callable[[str], str], store: runlore.Store) -> None:
    assert "cross-validated error" in run("xgboost_digits.py")
    validated, going_on, *trained = store.runs("parent is None")
    assert [item.params["max_depth"] for item in trained] == [3, 1]
    assert min(item.summary["best_score"] for item in trained) < 0.1
    assert [link["kind"] for link in going_on.links] == ["resumed_from"]
    assert len(validated.children) == 3


@pytest.mark.stress
def test_lightgbm(run: Callable[[str], str], store: runlore.Store) -> None:
    assert "cross-validated error" in run("lightgbm_digits.py")
    validated, going_on, *trained = store.runs("parent is None")
    assert [item.params["num_leaves"] for item in trained] == [8, 3]
    assert min(item.summary["best_score.test/multi_error"] for item in trained) < 0.1
    assert [link["kind"] for link in going_on.links] == ["resumed_from"]
    assert len(validated.children) == 3


def test_catboost(run: Callable[[str], str], store: runlore.Store) -> None:
    assert "cross-validated accuracy" in run("catboost_digits.py")
    validated, going_on, *trained = store.runs("parent is None")
    assert [item.params["depth"] for item in trained] == [4, 1]
    assert max(item.summary["best_score.validation.Accuracy"] for item in trained) > 0.9
    assert [link["kind"] for link in going_on.links] == ["resumed_from"]
    assert len(validated.children) == 3


@pytest.mark.stress
def test_keras(run: Callable[[str], str], store: runlore.Store, tmp_path: Path) -> None:
    assert run("keras_digits.py").count("test accuracy") == 2
    best = store.runs(sort='-metrics["test/accuracy"]', limit=1)[0]
    assert (best.status, best.params["optimizer.learning_rate"]) == ("finished", 0.01)
    assert best.metrics["test/accuracy"].last > 0.9
    kept = best.artifact("best")
    assert not Path(kept.path or "").exists()
    assert best.id in [origin.run for origin in which_run(store, kept.restore(tmp_path / "out")).found]


@pytest.mark.stress
def test_transformers(run: Callable[[str], str], store: runlore.Store, tmp_path: Path) -> None:
    assert run("transformers_digits.py").count("accuracy") == 2
    found: Any = store.runs(sort="-metrics.eval_accuracy.max")
    assert [item.status for item in found] == ["finished"] * 2
    assert found[0].metrics["eval_accuracy"].max > 0.5
    assert found[0].summary["train_runtime"] > 0
    assert (found[0].artifact("best").restore(tmp_path / "out") / "model.safetensors").stat().st_size > 10_000


def test_optuna(run: Callable[[str], str], store: runlore.Store) -> None:
    assert "best score" in run("optuna_digits.py")
    (study,) = store.runs("parent is None")
    assert (len(study.children), len(study.segments)) == (12, 2)
    assert study.summary["best_value"] > 0.9
    assert len(store.runs('tags.state == "PRUNED"')) > 0
    fits = store.runs("tags.integration == 'sklearn'")
    assert {fit.parent.id for fit in fits if fit.parent} == {trial.id for trial in study.children}


def test_torch(run: Callable[[str], str], store: runlore.Store) -> None:
    assert run("torch_digits.py").count("test accuracy") == 2
    slow, fast = store.runs(sort="-id")
    assert [found.params["optimizer.lr"] for found in (fast, slow)] == [0.01, 0.0005]
    assert [found.metrics["loss"].count for found in (fast, slow)] == [235, 235]
    assert fast.metrics["loss"].last < slow.metrics["loss"].last
    assert {found.status for found in (fast, slow)} == {"finished"}
