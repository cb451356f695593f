"""Runs that several threads and processes write to at the same time."""

import copy
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

from runlore import Store
from runlore.recording.additions import addition_to
from tests.process import Process

Python = Callable[..., Process]


def test_threads_that_define_the_same_keys_at_once_agree(store: Store) -> None:
    """Two threads once defined the same keys twice."""
    for number in range(30):
        run = store.start_run(f"race-{number}")
        barrier = threading.Barrier(8)

        def work(thread: int, run: Any = run, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            for step in range(20):
                run.log_metrics({"a": 1.0}, thread * 100 + step)
                run.log_metrics({f"own-{thread}": 2.0}, step)

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run.finish()
        metrics = store.run(f"race-{number}").metrics
        assert metrics["a"].values.tolist() == [1.0] * 160
        assert all(metrics[f"own-{thread}"].values.tolist() == [2.0] * 20 for thread in range(8))


def test_steps_go_on_in_a_fork_after_the_end_and_behind_a_pickle(store: Store) -> None:
    """Each of these ways once counted from step 0 again."""
    run = store.start_run("on")
    for value in range(3):
        run.log_metrics({"loss": float(value)})
    child = os.fork()
    if child == 0:
        run.log_metrics({"loss": 3.0})
        os._exit(0)
    os.waitpid(child, 0)
    run.finish()
    ways: list[Callable[[], Any]] = [
        lambda: addition_to(run),
        lambda: pickle.loads(pickle.dumps(run)),
        lambda: copy.deepcopy(run),
    ]
    for way in ways:
        again = way()
        again.log_metrics({"loss": 9.0})
        again.finish()
    assert store.run("on").metrics["loss"].values.tolist()[:3] == [0.0, 1.0, 2.0]
    assert store.run("on").metrics["loss"].steps.tolist() == list(range(7))


def test_a_run_of_a_multiprocessing_child_ends_with_it(store: Store, python: Python) -> None:
    """Such a child leaves without Python's exit hooks; its run once read crashed."""
    python("""
        import multiprocessing, runlore
        def work():
            runlore.start_run("child").log_metrics({"x": 1.0})
        context = multiprocessing.get_context("fork")
        process = context.Process(target=work)
        process.start()
        process.join()
    """).succeed()
    assert store.run("child").status == "finished"
