"""The two plugins, each in a store of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runlore import Store

from runlore_tinynet.plugins import Journal, ShortPaths

Register = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def only_these(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the plugins of the entry points, which the process may have loaded."""
    monkeypatch.setenv("RUNLORE_DISABLED", "tinynet-journal,tinynet-short-paths")


def test_the_journal_has_a_line_for_each_run(
    runlore_store: Store, runlore_plugins: Register
) -> None:
    runlore_plugins(Journal())
    with runlore_store.start_run("first") as run:
        for loss in (0.5, 0.25):
            run.log_metrics({"loss": loss})
    with pytest.raises(KeyboardInterrupt), runlore_store.start_run("second"):
        raise KeyboardInterrupt
    lines = (runlore_store.root / "journal.txt").read_text().splitlines()
    assert {"first finished 0.2500", "second interrupted -"} <= set(lines)


def test_a_home_is_not_told(
    runlore_store: Store, runlore_plugins: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    runlore_plugins(ShortPaths(home=tmp_path))
    with runlore_store.start_run("mine"):
        pass
    assert runlore_store.run("mine").command["cwd"] == "~/work"
