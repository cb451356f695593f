"""A store of its own for every test; nothing of the machine's settings reaches in."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from runlore._process import process
from runlore.plugins.manager import plugins
from runlore.recording.observing import Observers
from tests.process import Process

pytest_plugins = ["runlore.testing"]
os.environ.setdefault("LC_ALL", "C.UTF-8")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell: no test could be interrupted
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_settings(runlore_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # nothing of this repository is captured
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def store(runlore_store: Store) -> Store:
    return runlore_store


@pytest.fixture
def python(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts Python on a script in a process of its own; what still runs at the end is killed."""
    started: list[Process] = []

    def start(script: str | Path, *arguments: str, **environment: str) -> Process:
        started.append(Process(script, arguments, {**os.environ, **environment}, tmp_path))
        return started[-1]

    yield start
    for item in started:
        item.end()


@pytest.fixture
def plug() -> Any:
    """Registers plugins in this process, by a name or without one; they are gone after the test."""
    loaded = plugins()
    added: list[Any] = []

    def register(item: Any, name: str = "") -> Any:
        loaded.register(item, name or f"test-{len(added)}")
        added.append(item)
        return item

    yield register
    for item in added:
        loaded.unregister(item)
    process.part(Observers).are_slow = False
