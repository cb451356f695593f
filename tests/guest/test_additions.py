"""Tests of what is added to a run after its fit."""

import os
import threading

import pytest

from runlore import RunloreWarning, Store
from runlore.guest.additions import Additions
from runlore.maintenance import removal
from runlore.recording import additions


def test_many_threads_that_add_to_one_run_lose_nothing(store: Store) -> None:
    runs = [store.start_run(f"r{number}") for number in range(24)]
    for run in runs:
        run.finish()
    before = len(os.listdir("/proc/self/fd"))

    def work() -> None:
        for _ in range(5):
            for run in runs:
                Additions(run).metrics({"score": 1.0})

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(os.listdir("/proc/self/fd")) <= before + additions.MAX_OPEN
    assert {store.run(run.id).metrics["score"].count for run in runs} == {30}


def test_nothing_is_added_to_a_run_that_was_removed(store: Store) -> None:
    """Nor does the addition bring the run back."""
    run = store.start_run("x")
    run.finish()
    removal.remove(store, [store.run("x")])
    with pytest.warns(RunloreWarning, match="not in .* any more"):
        Additions(run).metrics({"late": 1.0})
    assert len(store.runs()) == 0
