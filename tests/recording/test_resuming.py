"""Runs that go on in another process."""

from typing import Any

import pytest

from runlore import Store
from runlore._text import as_time


def test_what_follows_a_finished_run_keeps_its_experiment(store: Store) -> None:
    """It once went to the default experiment."""
    store.start_run("first", experiment="sweep").finish()
    store.start_run("second", resume="first").finish()
    assert store.run("second").experiment == "sweep"


def test_a_segment_that_was_cut_off_keeps_its_own_end(store: Store, python: Any) -> None:
    """Where a later segment had ended, the run once had that end for the earlier one, too."""
    script = """
        import os, signal, sys, runlore
        run = runlore.start_run("long", resume=sys.argv[1] if len(sys.argv) > 1 else None)
        run.log_metrics({"loss": 1.0})
        os.kill(os.getpid(), signal.SIGKILL if len(sys.argv) < 3 else signal.SIGTERM)
    """
    python(script).wait()
    first = store.run("long").ended
    python(script, "long", "told").wait()
    with pytest.raises(ValueError, match="third"), store.start_run(resume="long"):
        raise ValueError("third")
    run = store.run("long")
    assert [segment.status for segment in run.segments] == ["crashed", "interrupted", "failed"]
    assert as_time(run.segments[0].ended or 0) == first
    assert [bool(segment.error) for segment in run.segments] == [False, True, True]
