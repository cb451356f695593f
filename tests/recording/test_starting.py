"""Starting runs: one line on stderr, or none, and the current run."""

import os
import re
import threading
from collections.abc import Callable
from contextvars import Context
from functools import wraps

import pytest

import runlore
from runlore import Store
from tests.process import Process

Python = Callable[..., Process]


def test_start_says_one_line_and_a_setting_silences_it(python: Python) -> None:
    loud = python("import runlore; runlore.start_run('said').finish()", RUNLORE_QUIET="0")
    loud.succeed()
    assert loud.err.startswith("runlore: run said · runlore show ")
    quiet = python("import runlore; runlore.start_run('said').finish()", RUNLORE_QUIET="1")
    quiet.succeed()
    assert quiet.err == ""


def test_runlore_can_be_switched_off_whole(store: Store, python: Python) -> None:
    script = "import runlore; r = runlore.start_run('off'); r.log_metrics({'x': 1}); r.log_params({'a': 1}); r.finish()"
    quiet = python(script, RUNLORE_DISABLED="1", RUNLORE_QUIET="0")
    quiet.succeed()
    assert quiet.err == ""
    assert not store.root.exists()


def in_fresh_context(test: Callable[[Store], None]) -> Callable[[Store], None]:
    """Runs that other tests have left open are no current ones here."""

    @wraps(test)
    def run(store: Store) -> None:
        Context().run(test, store)

    return run


@in_fresh_context
def test_the_current_run_without_a_block_is_the_newest_of_the_thread(store: Store) -> None:
    """In a notebook a cell that fails leaves its run open, and is run again."""
    first = store.start_run("first")
    second = store.start_run("second")
    assert runlore.current_run() is second
    with store.start_run("block") as block:
        store.start_run("in the block").finish()
        assert runlore.current_run() is block
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(runlore.current_run()))
    thread.start()
    thread.join()
    assert found == [None], "two are open, and the thread has started neither"
    second.finish()
    assert runlore.current_run() is first
    runlore.log_metrics({"x": 1.0})
    first.finish()
    assert runlore.current_run() is not first


@in_fresh_context
def test_several_open_runs_are_told_where_none_can_be_meant(store: Store) -> None:
    told: list[str] = []

    def log() -> None:
        with pytest.raises(runlore.RunloreError) as caught:
            runlore.log_metrics({"x": 1.0})
        told.append(str(caught.value))

    runs = [store.start_run(name) for name in ("a", "b")]
    thread = threading.Thread(target=log)
    thread.start()
    thread.join()
    assert re.search(r"and \d+ are open elsewhere", told[0])
    for run in runs:
        run.finish()


@pytest.mark.parametrize("why", ["off", "closed"])
def test_a_run_that_records_nothing_is_the_current_one_too(store: Store, python: Python, why: str) -> None:
    """The functions of the module once raised "no run is open" into such a training."""
    environment = {"RUNLORE_DISABLED": "1"} if why == "off" else {"RUNLORE_STORE": "/dev/null"}
    python(
        """
        import runlore, threading
        run = runlore.start_run("nothing")
        assert runlore.current_run() is run
        for target in (runlore.log_metrics, runlore.log_params, runlore.set_tags):
            target({"x": 1})
            failed = []
            threading.excepthook = failed.append
            thread = threading.Thread(target=target, args=({"x": 1},))
            thread.start()
            thread.join()
            assert not failed, failed
        """,
        **environment,
    ).succeed()


@in_fresh_context
def test_the_current_run_is_that_of_the_block(store: Store) -> None:
    with pytest.raises(runlore.RunloreError, match="no run is open"):
        runlore.log_metrics({"x": 1.0})
    with store.start_run("outer") as outer:
        with store.start_run("inner", parent=outer) as inner:
            assert runlore.current_run() is inner
            runlore.log_metrics({"x": 1.0})
            runlore.log_params({"a": 1})
            runlore.set_tags({"t": "v"})
        assert runlore.current_run() is outer
    assert runlore.current_run() is None
    found = store.run("inner")
    assert (found.metrics["x"].count, found.params, found.tags) == (1, {"a": 1}, {"t": "v"})
    assert found.parent == store.run("outer")
    assert list(store.run("outer").children) == [found]


def test_a_script_that_needs_nothing_else_loads_little(python: Python, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a first run imports is nearly all that it costs."""
    for name in set(os.environ) - {"HOME", "PATH"}:  # a library may set one that by its name may be a secret
        if not name.startswith(("PYTHON", "RUNLORE")):
            monkeypatch.delenv(name)
    done = python(
        "import sys\n"
        "before = set(sys.modules)\n"
        "import runlore\n"
        "run = runlore.start_run()\n"
        "run.log_metrics({'loss': 1.0}, step=0)\n"
        "run.finish()\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done.succeed()
    loaded = set(done.out.split())
    heavy = "multiprocessing subprocess platform locale random datetime shutil traceback textwrap unicodedata queue"
    heavy += " hashlib signal dataclasses pluggy inspect ast importlib"
    heavy += " runlore.plugins.csv_mirror runlore.plugins.progress"
    assert loaded & {*heavy.split(), "asyncio", "logging", "numpy", "sqlite3", "tempfile"} == set()
    assert len(loaded) < 125, sorted(loaded)


def test_outside_of_a_repository_no_git_is_started(python: Python, store: Store) -> None:
    script = (
        "import subprocess, runlore\n"
        "def refused(*arguments, **options): raise AssertionError('a process was started')\n"
        "subprocess.Popen = refused\n"
        "runlore.start_run('alone').finish()\n"
    )
    python(script).succeed()
    found = store.run("alone")
    assert "git" not in found.environment
    assert "a process was started" not in str(found.missing)
