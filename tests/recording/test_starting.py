"""Starting runs: one line on stderr, or none, and the current run."""

from collections.abc import Callable

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


def test_a_script_that_needs_nothing_else_loads_little(python: Python) -> None:
    """What a first run imports is nearly all that it costs."""
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
    assert loaded & {*heavy.split(), "asyncio", "logging", "numpy", "sqlite3", "tempfile"} == set()
    assert len(loaded) < 165, sorted(loaded)


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
