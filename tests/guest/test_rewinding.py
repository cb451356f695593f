"""Fits that begin again from an earlier step."""

import threading
import time
import warnings

from runlore import FitSession, Store


def test_beginning_again_leaves_no_stale_point(store: Store) -> None:
    with FitSession.begin("mine", params=lambda: {"lr": 0.1}) as session:
        for step in (10, 20, 30):
            session.metrics({"loss": float(step)}, step=step)
        session.rewind(10)
        assert store.run(session.run.id).metrics["loss"].steps.tolist() == [10]
        session.metrics({"loss": 1.0}, step=25)
        session.metrics({"other": 1.0})
        assert store.run(session.run.id).status == "running"
    (run,) = store.runs()
    assert run.metrics["loss"].steps.tolist() == [10, 25]
    assert (run.status, len(run.segments), run.params) == ("finished", 2, {"lr": 0.1})
    assert [segment.status for segment in run.segments] == ["interrupted", "finished"]


def test_what_the_user_had_logged_before_stays(store: Store) -> None:
    with store.start_run("mine") as run:
        for step in range(5):
            run.log_metrics({"before": float(step)}, step=step)
        with FitSession.begin("mine") as session:
            session.metrics({"loss": 1.0}, step=1)
            session.metrics({"loss": 2.0}, step=2)
            session.rewind(0)
            session.metrics({"loss": 3.0}, step=1)
        run.log_metrics({"before": 5.0})
    found = store.run("mine")
    assert found.metrics["before"].steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.metrics["loss"].values.tolist() == [3.0]


def test_beginning_again_loses_nothing_of_another_thread(store: Store) -> None:
    run = store.start_run("threads")
    stop = threading.Event()
    logged: list[int] = []

    def work() -> None:
        while not stop.is_set():
            run.log_metrics({"other": 1.0}, step=len(logged))
            logged.append(1)

    run.log_metrics({"other": 1.0}, step=0)
    thread = threading.Thread(target=work)
    thread.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(30):
            run.run_log.rewind(0, spared=run.run_log.keys())
    stop.set()
    thread.join()
    run.finish()
    assert store.run("threads").metrics["other"].count == len(logged)


def test_beginning_again_loses_no_step_that_another_thread_counts(store: Store) -> None:
    """Both files once counted the same one: a point was lost each time."""
    run = store.start_run("threads")
    stop = threading.Event()
    logged = [0, 0]

    def work(number: int) -> None:
        while not stop.is_set():
            run.log_metrics({f"other{number}": 1.0})
            logged[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        run.run_log.rewind(10**12)
        time.sleep(0.005)
    stop.set()
    for thread in threads:
        thread.join()
    run.finish()
    assert [store.run("threads").metrics[f"other{number}"].count for number in range(2)] == logged
