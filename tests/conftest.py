"""A store of its own for every test; nothing of the machine's settings reaches in."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runlore import Store, open_store
from tests.process import Process

os.environ.setdefault("LC_ALL", "C.UTF-8")


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("RUNLORE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # nothing of this repository is captured
    monkeypatch.setenv("RUNLORE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("RUNLORE_QUIET", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store")


@pytest.fixture
def python(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts Python on a script in a process of its own; what still runs at the end is killed."""
    started: list[Process] = []

    def start(script: str | Path, *arguments: str, **environment: str) -> Process:
        started.append(Process(script, arguments, {**os.environ, **environment}, tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.end()
