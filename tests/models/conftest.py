"""A store with three runs that each kept a model."""

from pathlib import Path

import pytest

from runlore import Store


def train(store: Store, folder: Path, name: str, content: bytes, *, step: int = 3, model: str | None = None) -> str:
    """Record a run that keeps a file of some content; return its id."""
    path = folder / "model.pt"
    path.write_bytes(content)
    with store.start_run(name, params={"lr": len(content)}) as run:
        run.log_data("train", [[1.0, 2.0]])
        run.log_artifact(path, kind="model", step=step, model=model)
    return run.id


@pytest.fixture
def trained(store: Store, tmp_path: Path) -> Store:
    for number in (1, 2, 3):
        train(store, tmp_path, f"run-{number}", b"weights" * number)
    return store
