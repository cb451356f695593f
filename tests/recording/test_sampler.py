"""Tests of the measurements that a run records."""

from collections.abc import Callable

import pytest

from runlore import Store
from tests.process import Process

Python = Callable[..., Process]


def test_a_long_run_has_system_metrics_and_a_short_one_does_not_load_psutil(store: Store, python: Python) -> None:
    printed = python("""
        import sys, time
        import runlore.recording.sampler as sampler
        sampler.FIRST_S, sampler.INTERVAL_S = 0.2, 0.4
        import runlore
        with runlore.start_run("short"):
            pass
        print("psutil" in sys.modules)
        with runlore.start_run("long") as run, runlore.start_run("child", parent=run):
            while not any(key.startswith("system/") for key in runlore.open_store().run(run).metrics):
                time.sleep(0.05)
    """).succeed()
    assert printed == "False\n"
    long = store.run("long")
    assert {"system/cpu_percent", "system/memory_bytes", "system/memory_percent"} <= set(long.metrics)
    assert long.metrics["system/memory_bytes"].last > 1 << 20
    assert dict(store.run("child").metrics) == {}


def test_a_run_without_psutil_says_so_once(store: Store, python: Python) -> None:
    python("""
        import sys, time
        sys.modules["psutil"] = None
        import runlore.recording.sampler as sampler
        sampler.FIRST_S, sampler.INTERVAL_S = 0.05, 0.1
        import runlore
        with runlore.start_run("long") as run:
            while not runlore.open_store().run(run).missing:
                time.sleep(0.05)
            time.sleep(0.3)
    """).succeed()
    (missing,) = store.run("long").missing
    assert "pip install 'runlore[system]'" in missing["why"]


def test_no_thread_of_ours_outlives_the_last_run(store: Store, python: Python) -> None:
    """One lived on for 15 seconds: whoever looks for threads that a test has left behind, such as Lightning, met it."""
    python("""
        import threading, time
        import runlore.recording.sampler as sampler
        import runlore
        from runlore import hookimpl
        from runlore.plugins.manager import plugins

        class Slow:
            @hookimpl
            def runlore_capture_environment(self, request):
                time.sleep(0.3)
                return {}

            @hookimpl
            def runlore_run_finished(self, run, status, error):
                time.sleep(0.1)

        def left():
            return [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]

        plugins().register(Slow(), "slow")
        runlore.start_run("short").finish()
        assert not left(), left()
        sampler.FIRST_S, sampler.INTERVAL_S = 0.05, 0.1
        with runlore.start_run("long") as run:
            while not any(key.startswith("system/") for key in runlore.open_store().run(run).metrics):
                time.sleep(0.02)
            with runlore.start_run("other"):
                pass
            assert "runlore-sampler" in left()
        assert not left(), left()
        with runlore.start_run("again") as run:
            while not any(key.startswith("system/") for key in runlore.open_store().run(run).metrics):
                time.sleep(0.02)
        assert not left(), left()
    """).succeed()


@pytest.mark.parametrize("ends", ["run.finish()", "pass"])
def test_a_process_ends_as_it_would_where_no_descriptor_is_free(store: Store, python: Python, ends: str) -> None:
    """Ended in the middle by Python, our thread let glibc abort most such processes: it opens a library for that."""
    training = f"""
        import os, resource, runlore
        run = runlore.start_run()
        run.companions.await_captures()
        used = os.open(os.devnull, os.O_RDONLY)
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 1, used + 1))
        {ends}
        print("trained")
    """
    trainings = [python(training) for _ in range(4)]
    assert [process.succeed() for process in trainings] == ["trained\n"] * 4
    assert {run.status for run in store.runs()} == {"finished"}


def test_runs_that_wait_for_one_capture_start_no_thread_each(store: Store, python: Python) -> None:
    python("""
        import threading, time
        import runlore
        from runlore import hookimpl
        from runlore.plugins.manager import plugins

        class Slow:
            @hookimpl
            def runlore_capture_environment(self, request):
                go.wait()
                return {"slow": {"a": 1}}

        go = threading.Event()
        plugins().register(Slow(), "slow")
        runs = [runlore.start_run() for _ in range(10)]
        assert sum("capture" in thread.name for thread in threading.enumerate()) <= 2
        go.set()
        for run in runs:
            run.finish()
    """).succeed()
    assert [run.environment["slow"]["a"] for run in store.runs()] == [1] * 10
