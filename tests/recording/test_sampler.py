"""Tests of the measurements that a run records."""

from collections.abc import Callable

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
