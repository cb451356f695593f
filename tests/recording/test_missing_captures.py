"""Captures that could not be made are told in the run; those that got lost are made again."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from runlore.recording.companions import capture_afresh
from tests.process import Process

Python = Callable[..., Process]


def test_a_run_that_died_before_its_environment_was_known_says_so(store: Store, python: Python) -> None:
    python("""
        import os, threading, runlore
        threading.Thread.start = lambda self: None
        runlore.start_run("early")
        os.kill(os.getpid(), 9)
    """).wait()
    assert store.run("early").missing == [
        {"what": "environment", "why": "the process ended before it was known"},
    ]  # fmt: skip


def test_without_threads_a_run_is_recorded_and_says_what_it_lacks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread can start, the run once could not start either."""
    capture_afresh()

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with store.start_run("x") as run:
        run.log_metrics({"a": 1.0})
    monkeypatch.undo()
    capture_afresh()
    assert store.run("x").metrics["a"].last == 1.0
    why = "no thread could be started that finds it out"
    assert store.run("x").missing == [{"what": what, "why": why} for what in ("environment", "code")]


def test_a_store_that_was_deleted_gets_its_captures_again(store: Store, tmp_path: Path) -> None:
    """The next run once referred to what had been kept in the store before."""
    (tmp_path / "train.py").write_text("")
    store.start_run("a").finish()
    shutil.rmtree(store.root)
    store.start_run("b").finish()
    run = store.run("b")
    assert run.environment["packages"]["pluggy"]


def test_two_equal_runs_miss_the_same(store: Store) -> None:
    """Why a model can't be pickled names an object, and with it its address."""
    for _ in range(2):
        with store.start_run() as run:
            run.log_missing("the fitted model", f"it can't be pickled: {object()!r}")
    one, other = (run.missing for run in store.runs())
    assert one == other and "0x" not in one[0]["why"]
