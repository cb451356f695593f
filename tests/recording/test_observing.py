"""Observers follow the log of a run on a thread of their own."""

import gc
import pickle
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from runlore import RunloreWarning, Store, hookimpl
from runlore._process import process
from runlore.hookspecs import LoggedEvent, LoggedPoints, RunInfo
from runlore.recording.run import MAX_RECEIVED, ReceivedRuns


class Observer:
    """Writes down what it is told, and on which thread."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.threads: set[str] = set()

    def tell(self, what: str, value: Any) -> None:
        self.told.append((what, value))
        self.threads.add(threading.current_thread().name)

    @hookimpl
    def runlore_run_started(self, run: RunInfo) -> None:
        self.tell("started", run)

    @hookimpl
    def runlore_events_logged(self, run: RunInfo, events: Sequence[LoggedEvent]) -> None:
        for event in events:
            self.tell(event.type, event)

    @hookimpl
    def runlore_points_logged(self, run: RunInfo, points: Sequence[LoggedPoints]) -> None:
        for item in points:
            self.tell("points", item)

    @hookimpl
    def runlore_run_finished(self, run: RunInfo, status: str, error: Any) -> None:
        self.tell("finished", (status, error))


def test_an_observer_is_told_everything_in_order_on_a_thread_of_its_own(store: Store, plug: Any) -> None:
    observer = plug(Observer())
    with store.start_run("watched", experiment="e", params={"lr": 0.1}) as run:
        for step in range(100):
            run.log_metrics({"loss": 1.0 / (step + 1), "acc": 0.5}, step=step, epoch=step / 10, split="train")
        run.set_tags({"a": "b"})
    kinds = [what for what, _ in observer.told]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert {"params", "tags", "environment"} <= set(kinds)
    info = observer.told[0][1]
    assert (info.id, info.name, info.experiment, info.parent, info.store) == (run.id, "watched", "e", None, store.root)
    assert abs(info.started - time.time()) < 60
    loss = [item for what, item in observer.told if what == "points" and item.key == "loss"]
    assert [step for item in loss for step in item.steps] == list(range(100))
    assert [value for item in loss for value in item.values] == [1.0 / (step + 1) for step in range(100)]
    assert {item.split for item in loss} == {"train"}
    assert loss[0].epochs[0] == 0.0
    assert observer.threads == {"runlore-follower"}
    assert observer.told[-1][1] == ("finished", None)


def test_without_an_observer_there_is_no_follower(store: Store) -> None:
    with store.start_run():
        assert "runlore-follower" not in {thread.name for thread in threading.enumerate()}


def test_an_observer_learns_of_a_failure_and_of_what_is_added_later(store: Store, plug: Any) -> None:
    observer = plug(Observer())
    with pytest.raises(ZeroDivisionError), store.start_run("bad"):
        _ = 1 / 0
    status, error = observer.told[-1][1]
    assert (status, error["type"]) == ("failed", "ZeroDivisionError")
    observer.told.clear()
    store.run("bad").note("later")
    assert [what for what, _ in observer.told] == ["note"]


class Broken:
    calls = 0

    @hookimpl
    def runlore_points_logged(self, points: Sequence[LoggedPoints]) -> None:
        self.calls += 1
        raise RuntimeError("no network")


def test_an_observer_that_fails_warns_once_goes_on_being_called_and_is_summed_up(store: Store, plug: Any) -> None:
    broken = plug(Broken(), "mirror")
    heard: list[LoggedPoints] = []

    class Hearing:
        @hookimpl
        def runlore_points_logged(self, points: Sequence[LoggedPoints]) -> None:
            heard.extend(points)

    plug(Hearing())
    with pytest.warns(RunloreWarning, match="'mirror' failed while it observed") as caught:
        run = store.start_run("x")
        for step in range(3):
            run.log_metrics({"loss": 1.0}, step)
            run.companions.drain()
        run.finish()
    assert len(caught) == 1
    assert broken.calls == 3
    assert len(heard) == 3
    (missing,) = [item for item in store.run("x").missing if "mirror" in item["what"]]
    assert missing["why"] == "it failed 3 times, first: RuntimeError: no network"


def test_an_observer_that_fails_at_the_end_is_told_in_the_run(store: Store, plug: Any) -> None:
    class Webhook:
        @hookimpl
        def runlore_run_finished(self) -> None:
            raise OSError("no network")

    plug(Webhook(), "webhook")
    with pytest.warns(RunloreWarning, match="'webhook' failed while it observed"), store.start_run("x"):
        pass
    run = store.run("x")
    assert run.status == "finished"
    assert run.missing == [
        {"what": "what plugin 'webhook' does with the end of a run", "why": "OSError: no network"},
    ]  # fmt: skip


def test_a_slow_observer_keeps_a_run_waiting_once_and_never_training(
    store: Store, plug: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runlore.recording.companions.END_S", 0.2)
    free = threading.Event()

    class Slow:
        @hookimpl
        def runlore_points_logged(self, points: Sequence[LoggedPoints]) -> None:
            free.wait(30)

    plug(Slow())
    with pytest.warns(RunloreWarning, match="observers of runs are slow") as caught:
        for _ in range(5):
            with store.start_run() as run:
                for _ in range(1000):
                    run.log_metrics({"loss": 1.0})
    free.set()
    assert len(caught) == 1
    assert {item.metrics["loss"].count for item in store.runs()} == {1000}
    assert {item.status for item in store.runs()} == {"finished"}


def test_nobody_observes_a_received_run_that_nobody_holds(store: Store, plug: Any) -> None:
    """A thread and a descriptor were left of each run that came by pickle: a pool for many runs filled up with them."""
    pickles = []
    for number in range(MAX_RECEIVED + 10):
        with store.start_run(f"run-{number}") as run:
            pickles.append(pickle.dumps(run))

    def followers() -> int:
        return sum(thread.name == "runlore-follower" for thread in threading.enumerate())

    observer = plug(Observer())
    for data in pickles:
        pickle.loads(data).log_metrics({"x": 1.0})
    gc.collect()
    until = time.monotonic() + 10
    while followers() > MAX_RECEIVED and time.monotonic() < until:
        time.sleep(0.05)
    assert followers() <= MAX_RECEIVED
    process.part(ReceivedRuns).end()
    assert [what for what, _ in observer.told].count("points") == len(pickles)
