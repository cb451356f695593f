"""Stores with a family of runs, and with runs that have models."""

from pathlib import Path

import pytest

from runlore import Store


@pytest.fixture
def family(store: Store, tmp_path: Path) -> Store:
    """A parent with two children, one of which has a child, and another run."""
    with store.start_run("parent") as parent:
        parent.log_metrics({"loss": 1.0})
        (tmp_path / "model").write_bytes(b"the parent's")
        parent.log_artifact(tmp_path / "model")
        with store.start_run("child-1", parent=parent) as child:
            store.start_run("grandchild", parent=child).finish()
        store.start_run("child-2", parent=parent).finish()
    (tmp_path / "model").write_bytes(b"somebody else's")
    with store.start_run("else") as other:
        other.log_artifact(tmp_path / "model")
    return store


@pytest.fixture
def four(store: Store, tmp_path: Path) -> Store:
    """Runs with a model each, the last two with the same one; accuracies 0.1 to 0.4."""
    for number in range(4):
        with store.start_run(f"run-{number}", params={"lr": number}) as run:
            run.log_metrics({"acc": (number + 1) / 10, "loss": 1 - number / 10})
            (tmp_path / "model").write_bytes(b"x" * 1000 * (min(number, 2) + 1))
            run.log_artifact(tmp_path / "model", kind="model")
            (tmp_path / "notes.txt").write_text(f"{number}")
            run.log_artifact(tmp_path / "notes.txt")
    return store
