"""Fixtures for tests of plugins and integrations."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runlore._process import process
from runlore.plugins.manager import plugins
from runlore.recording.open_runs import OpenRuns
from runlore.store.store import Store, open_store
from runlore.testing.warm import WarmParents

MARKERS = {
    "stress": "takes long, or shows in one more way what another test shows: deselect it while you work",
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers of the contracts known."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


@pytest.fixture
def runlore_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A fresh store that everything in this test records to; no setting of the machine's reaches in.

    Runs that the test leaves open end with it: what the next test fits would belong to them.
    """
    before = process.part(OpenRuns).all
    for name in list(os.environ):
        if name.startswith("RUNLORE_"):
            monkeypatch.delenv(name)
    place = tmp_path / "store"
    monkeypatch.setenv("RUNLORE_STORE", str(place))
    monkeypatch.setenv("RUNLORE_QUIET", "1")
    yield open_store(place)
    for run in process.part(OpenRuns).all:
        if run not in before:
            run.end_with_process(None)


@pytest.fixture(scope="session")
def runlore_warm_parents() -> Iterator[WarmParents]:
    """The processes that fork the trainings which a contract asks for, where it names what they may import before."""
    parents = WarmParents()
    yield parents
    parents.end()


@pytest.fixture
def runlore_plugins() -> Iterator[Callable[[Any], Any]]:
    """Registers a plugin, a module or an object with hooks, until the test ends: `runlore_plugins(MyPlugin())`."""
    registered: list[Any] = []

    def register(plugin: Any) -> Any:
        plugins().register(plugin, f"registered-by-a-test-{len(registered)}")
        registered.append(plugin)
        return plugin

    yield register
    for plugin in registered:
        plugins().unregister(plugin)
