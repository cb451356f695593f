"""Runs that several threads and processes write to at the same time."""

import copy
import gc
import os
import pickle
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import runlore
from runlore import Store
from runlore._process import process
from runlore.recording.additions import addition_to
from runlore.recording.run import ReceivedRuns
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


def test_a_copy_of_an_open_run_is_that_run(store: Store) -> None:
    """Configurations and trainers that hold a run are copied; points of a copy once replaced those of the run."""
    with store.start_run("open") as run:
        copies = [copy.deepcopy({"config": [run]})["config"][0], copy.copy(run), pickle.loads(pickle.dumps(run))]
        for step, item in enumerate([run, *copies, run]):
            item.log_metrics({"loss": float(step)})
        assert all(item is run for item in copies)
    assert store.run("open").metrics["loss"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


POOL = """
    import functools, multiprocessing, os
    import runlore

    def work(run, number):
        run.log_metrics({{"score": float(number)}}, step=number)
        return len(os.listdir("/proc/self/fd")), os.getpid()

    if __name__ == "__main__":
        with runlore.start_run("pool") as run:
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                found = pool.map(functools.partial(work, run), range(40), chunksize=1)
                pool.close()
                pool.join()
        print(max(count for count, _ in found), len({{pid for _, pid in found}}))
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_tasks_of_a_pool_share_one_file_of_a_run(store: Store, python: Python, tmp_path: Path, method: str) -> None:
    """A run that came with each task was once opened for each, until no file could be opened any more."""
    script = tmp_path / "pool.py"
    script.write_text(dedent(POOL.format(method=method)))
    descriptors, workers = map(int, python(script).succeed().split())
    assert descriptors < 30
    run = store.run("pool")
    assert run.metrics["score"].steps.tolist() == list(range(40))
    assert len(run.writers.contents) == 1 + workers
    assert not list(store.root.rglob("*.log")), "those of the workers are sealed, too"


def test_a_run_that_nobody_holds_any_more_is_closed(store: Store) -> None:
    """Of the runs that come by pickle, the newest stay open for the next task."""
    pickles = []
    for number in range(40):
        with store.start_run(f"run-{number}") as run:
            pickles.append(pickle.dumps(run))
    held = pickle.loads(pickles[0])
    for data in pickles:
        pickle.loads(data).log_metrics({"x": 1.0})
    gc.collect()
    assert len(list(store.root.rglob("*.log"))) <= 17
    held.log_metrics({"x": 2.0})
    assert store.run("run-0").metrics["x"].values.tolist() == [1.0, 2.0]
    process.part(ReceivedRuns).end()
    assert not list(store.root.rglob("*.log"))


def test_points_without_steps_of_several_processes_all_count(store: Store) -> None:
    """Nobody who counts steps knows of the others: only the last point of each step was once left."""
    with store.start_run("counted") as run:
        run.log_metrics({"loss": 0.0, "given": 0.0})
        children = []
        for number in range(3):
            child = os.fork()
            if not child:
                for value in range(2):
                    runlore.log_metrics({"loss": 10.0 * number + value, "new": float(number)})
                runlore.log_metrics({"given": float(number)}, step=7)
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        run.log_metrics({"loss": 1.0})
    for _ in range(2):
        metrics = store.run("counted").metrics
        assert sorted(metrics["loss"].values.tolist()) == [0.0, 0.0, 1.0, 1.0, 10.0, 11.0, 20.0, 21.0]
        assert metrics["loss"].steps.tolist() == list(range(8))
        assert (metrics["loss"].count, metrics["loss"].last_step, metrics["new"].count) == (8, 7, 6)
        assert metrics["given"].steps.tolist() == [0, 7], "steps that are given mean what they say"
        store.reindex()
    with store.run("counted").attach() as again:
        again.log_metrics({"loss": 99.0})
    assert store.run("counted").metrics["loss"].last_step == 8


def test_a_key_whose_steps_are_counted_and_given_keeps_the_given_ones(store: Store) -> None:
    with store.start_run("mixed") as run:
        for value in range(3):
            run.log_metrics({"loss": float(value)})
    with store.run("mixed").attach() as first:
        first.log_metrics({"loss": 3.0})
    with store.run("mixed").attach() as second:
        second.log_metrics({"loss": 4.0})
        second.log_metrics({"loss": 9.0}, step=1)
    assert store.run("mixed").metrics["loss"].values.tolist() == [0.0, 9.0, 2.0, 3.0, 4.0]


def test_a_fork_amid_the_calls_of_other_threads_hangs_no_child(store: Store) -> None:
    """A lock that another thread holds at that moment would stay locked in the child for ever."""
    stop = threading.Event()
    with store.start_run("forks") as run:

        def spin() -> None:
            for step in range(1_000_000):
                if stop.is_set():
                    return
                run.log_metrics({"t": 1.0}, step=step)
                run.set_tags({"step": step})

        threads = [threading.Thread(target=spin) for _ in range(3)]
        for thread in threads:
            thread.start()
        statuses = []
        for number in range(40):
            child = os.fork()
            if not child:
                signal.alarm(20)
                run.log_metrics({"child": 1.0}, step=number)
                run.log_params({f"of-{number}": 1})
                os._exit(0)
            statuses.append(os.waitpid(child, 0)[1])
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses == [0] * 40
    assert store.run("forks").metrics["child"].count == 40


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


def test_forked_processes_leave_no_file_of_ours_open(store: Store, python: Python, tmp_path: Path) -> None:
    """Each worker of a data loader once warned of an unclosed file under `-X dev`."""
    process = python(
        """
        import gc, multiprocessing, os, sys
        import runlore
        from runlore.guest.additions import Additions

        with runlore.start_run("ended") as ended:
            pass
        run = runlore.start_run("mine")
        session = runlore.FitSession.begin("own")
        session.metrics({"loss": 1.0}, step=1)
        Additions(ended).metrics({"score": 1.0})

        def work():
            run.log_metrics({"of_child": 1.0})
            gc.collect()

        for _ in range(2):
            if not os.fork():
                gc.collect()
                sys.exit()
            os.wait()
            context = multiprocessing.get_context("fork")
            child = context.Process(target=work)
            child.start()
            child.join()
        """,
        PYTHONDEVMODE="1",
        PYTHONWARNINGS="always",
        RUNLORE_OUTPUT="1",
        RUNLORE_CSV=str(tmp_path / "csv"),
    )
    process.succeed()
    assert "Warning" not in process.err, process.err


FORKS = """
import multiprocessing, os, pty, sys, threading, warnings
import runlore
warnings.simplefilter("always")
record = sys.argv[1:] == ["recorded"]
run = runlore.start_run() if record else None

def fork(way):
    print(way.__name__, file=sys.stderr)
    pid, *_ = way() if way is pty.fork else (way(),)
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)

def forks():
    fork(os.fork)
    fork(pty.fork)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fork(os.fork)
    child = multiprocessing.get_context("fork").Process(target=int)
    child.start()
    child.join()

forks()
print("beside a thread of the user's", file=sys.stderr)
free = threading.Event()
other = threading.Thread(target=free.wait)
other.start()
forks()
free.set()
other.join()
if record:
    run.finish()
    assert not [item for item in warnings.filters if "runlore" in type(item[1]).__module__]
"""


def test_forks_beside_our_threads_are_warned_of_as_without_them(
    python: Python, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since 3.12, Python warns of each fork of a process with several threads; before, it says nothing at all."""
    script = tmp_path / "forks.py"
    script.write_text(FORKS)
    monkeypatch.setenv("RUNLORE_QUIET", "1")
    said = []
    for words in ([], ["recorded"]):
        process = python("import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])", str(script), *words)
        process.succeed()
        said.append([line.partition(": ")[2] or line for line in process.err.splitlines()])
    plain, recorded = ([line.partition(") is ")[2] or line for line in lines] for lines in said)
    assert recorded == plain
    assert store.runs("")[0].status == "finished"
