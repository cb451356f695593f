"""Signals that end a process: an exit as fast as without runlore, and a run that reads interrupted."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from runlore import Store
from tests.process import Process

Python = Callable[..., Process]


def test_sigterm_ends_at_once_and_reads_interrupted(store: Store, python: Python) -> None:
    process = python("""
        import runlore
        import time
        run = runlore.start_run("told")
        print("ready", flush=True)
        time.sleep(60)
    """)
    process.line()
    assert process.kill(signal.SIGTERM) == -signal.SIGTERM
    for _ in range(2):  # before and after a reader sealed it
        run = store.run("told")
        assert run.status == "interrupted"
        assert run.error is not None
        assert run.error["type"] == "SIGTERM"
    store.reindex()
    assert store.run("told").status == "interrupted"


def test_a_closed_terminal_reads_interrupted_and_a_reload_does_not(store: Store, python: Python) -> None:
    """It read crashed."""
    script = """
        import signal, sys, time, runlore
        if sys.argv[2:]:
            signal.signal(signal.SIGHUP, getattr(signal, sys.argv[2], lambda *_: print("reloaded", flush=True)))
        run = runlore.start_run(sys.argv[1])
        print("ready", flush=True)
        while True:
            time.sleep(0.01)
            run.log_metrics({"loss": 1.0})
            print("logged", flush=True)
    """
    process = python(script, "closed")
    process.line()
    assert process.kill(signal.SIGHUP) == -signal.SIGHUP
    closed = store.run("closed")
    assert closed.error is not None
    assert (closed.status, closed.error["type"]) == ("interrupted", "SIGHUP")
    assert closed.error["traceback"].startswith("Stack (most recent call first)")
    for name, handler in (("ignoring", "SIG_IGN"), ("reloading", "own")):
        process = python(script, name, handler)
        process.line()
        os.kill(process.pid, signal.SIGHUP)
        while handler == "own" and process.line() != "reloaded":
            pass
        mark = max((store.root / "marks").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(mark, (1, 1))  # as if it was long ago
        process.kill()
        assert (mark.stat().st_size > 0) == (handler == "own")
        assert store.run(name).status == "crashed"


def test_a_normal_exit_takes_its_mark_away(store: Store, python: Python, tmp_path: Path) -> None:
    process = python("""
        import os, time, runlore
        with runlore.start_run("first"):
            pass
        runlore.start_run("open at the end").log_metrics({"x": 1.0})
        print("ready", flush=True)
        while not os.path.exists("go on"):
            time.sleep(0.01)
    """)
    process.line()
    assert len(list((store.root / "marks").iterdir())) == 1
    (tmp_path / "go on").touch()
    process.succeed()
    assert list((store.root / "marks").iterdir()) == []
    assert [run.status for run in store.runs()] == ["finished", "finished"]


def test_a_forked_child_leaves_the_mark_of_its_parent_alone(store: Store, python: Python) -> None:
    process = python("""
        import os, sys, time, runlore
        run = runlore.start_run("told")
        child = os.fork()
        if child == 0:
            sys.exit(0)  # by way of everything that ends with Python
        os.waitpid(child, 0)
        print("ready", flush=True)
        time.sleep(60)
    """)
    process.line()
    assert len(list((store.root / "marks").iterdir())) == 1
    process.kill(signal.SIGTERM)
    assert store.run("told").status == "interrupted"


def test_sigterm_for_a_forked_child_marks_nothing(store: Store, python: Python) -> None:
    process = python("""
        import os, signal, time, runlore
        run = runlore.start_run("crashed")
        child = os.fork()
        if child == 0:
            time.sleep(60)
        time.sleep(0.1)
        os.kill(child, signal.SIGTERM)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        time.sleep(60)
    """)
    assert int(process.line()) == -signal.SIGTERM
    process.kill()
    assert [path.stat().st_size for path in (store.root / "marks").iterdir()] == [0]
    assert store.run("crashed").status == "crashed"


def test_a_child_of_multiprocessing_takes_its_own_mark_away(store: Store, python: Python) -> None:
    process = python("""
        import multiprocessing, runlore

        def work():
            runlore.start_run("child").log_metrics({"x": 1.0})

        if __name__ == "__main__":
            child = multiprocessing.get_context("fork").Process(target=work)
            child.start()
            child.join()
    """)
    process.succeed()
    assert store.run("child").status == "finished"
    assert list((store.root / "marks").iterdir()) == []


def test_the_stack_that_somebody_else_wants_at_a_signal_is_theirs(store: Store, python: Python, tmp_path: Path) -> None:
    """It got into our mark: `faulthandler` has one file for each signal."""
    wanted = tmp_path / "stack.txt"
    process = python(
        """
        import faulthandler, signal, sys, time
        file = open(sys.argv[1], "w")
        faulthandler.register(signal.SIGTERM, file=file, chain=True)
        import runlore
        run = runlore.start_run("theirs")
        print("ready", flush=True)
        time.sleep(60)
        """,
        str(wanted),
    )
    process.line()
    assert process.kill(signal.SIGTERM) == -signal.SIGTERM
    assert "most recent call first" in wanted.read_text()
    assert store.run("theirs").status == "crashed"


def test_a_handler_of_a_library_in_c_is_passed_on_to(store: Store, python: Python) -> None:
    process = python("""
        import ctypes, signal, time
        import runlore
        system = ctypes.CDLL(None)
        system.signal(signal.SIGTERM, system._exit)
        run = runlore.start_run("passed")
        print("ready", flush=True)
        time.sleep(60)
    """)
    process.line()
    assert process.kill(signal.SIGTERM) == signal.SIGTERM
    assert store.run("passed").status == "interrupted"
