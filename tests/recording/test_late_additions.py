"""Additions to runs that are not where they were."""

from pathlib import Path

import pytest

from runlore import RunloreWarning, Store
from runlore.errors import RunNotFound
from runlore.guest.additions import Additions
from runlore.maintenance import removal


def test_what_cannot_be_added_says_so(store: Store, tmp_path: Path) -> None:
    """The note was once lost without a word."""
    with store.start_run("fixed"):
        pass
    found = store.run("fixed")
    day = next(store.root.glob("runs/*/*"))
    moved = tmp_path / "moved"
    day.rename(moved)
    day.touch()
    with pytest.raises(RunNotFound, match=f"run {found.id} is not in"):
        found.note("lost?")


def test_nothing_is_added_to_a_run_that_was_removed(store: Store) -> None:
    """Nor does the addition bring the run back."""
    run = store.start_run("x")
    run.finish()
    removal.remove(store, [store.run("x")])
    with pytest.warns(RunloreWarning, match="not in .* any more"):
        Additions(run).metrics({"late": 1.0})
    assert len(store.runs()) == 0
